/** Why a schedule is refused: one sentence for people, and the field of the form. */
export class ScheduleError extends Error {
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.name = 'ScheduleError';
    this.field = field;
  }
}

/** What came, fit to be repeated in a sentence: quoted, and never longer than a line. */
export function quotedValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  // A number too large to be one is read as Infinity, which JSON would call null.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
