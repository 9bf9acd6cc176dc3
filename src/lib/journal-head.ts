/** The first line of a journal of JSON lines: version and fingerprint of its format. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { type FoundFormat, refusalText, type StoredFormat, stepsTo } from './stored-format.ts';

/** Bytes; longer than the first line of any version. */
const HEAD_BYTES_MAX = 1_024;

/** A format of journals. `name`: the field of the first line that has the version. */
export interface JournalFormat extends StoredFormat {
  name: string;
}

export const journalHead = ({ name, version, fingerprint }: JournalFormat): string =>
  `${JSON.stringify({ [name]: version, fingerprint })}\n`;

/**
 * Throws Error when another revision wrote the journal. An incomplete first line is none: a crash
 * cut it off. `subject` names the journal in the message.
 */
export function assertJournalFormat(known: JournalFormat, text: string | undefined, subject: string): void {
  const end = text?.indexOf('\n') ?? -1;
  if (text === undefined || (end < 0 && text.length < HEAD_BYTES_MAX)) return;
  const found = formatIn(end < 0 ? text : text.slice(0, end), known.name);
  if (stepsTo({ ...known, upgrades: {} }, found) !== undefined) return;
  throw new Error(refusalText(known, found, { subject, anew: 'start the agent with an empty data directory' }));
}

/** The beginning of a file, for `assertJournalFormat`. Undefined: there is no such file. */
export function readJournalHead(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const bytes = new Uint8Array(HEAD_BYTES_MAX);
  const fd = openSync(path, 'r');
  try {
    return new TextDecoder().decode(bytes.subarray(0, readSync(fd, bytes)));
  } finally {
    closeSync(fd);
  }
}

function formatIn(line: string, name: string): FoundFormat {
  try {
    const { [name]: version, fingerprint } = Object(JSON.parse(line)) as Record<string, unknown>;
    return { version: typeof version === 'number' ? version : null, fingerprint: typeof fingerprint === 'string' ? fingerprint : null };
  } catch {
    return { version: null, fingerprint: null };
  }
}
