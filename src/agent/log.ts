/** Sentences for people: lower case, what it is about first, fields behind. */
export interface Log {
  info(sentence: string, fields?: Record<string, unknown>): void;
  warn(sentence: string, fields?: Record<string, unknown>): void;
  error(sentence: string, fields?: Record<string, unknown>): void;
}
