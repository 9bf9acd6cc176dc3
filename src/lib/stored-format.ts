/**
 * The format of stored data: a version, and a fingerprint of the types and tables of that version.
 * Both are stored beside the data. Before a release two revisions may store different formats as
 * version 1; the fingerprint distinguishes them. A test computes it.
 */

export interface StoredFormat {
  version: number;
  /** 12 hex digits. */
  fingerprint: string;
}

/** Format stored beside existing data; null where a part is missing. */
export interface FoundFormat {
  version: number | null;
  fingerprint: string | null;
}

interface Upgrade<Step> {
  /** Fingerprint of the version before, as it was released. */
  from: string;
  step: Step;
}

/** A form, and the upgrades to it by the version that each leads to. */
export interface Upgradable<Step> extends StoredFormat {
  upgrades: Readonly<Record<number, Upgrade<Step>>>;
}

/** Steps from the found form to the known one, oldest first. Undefined: no way leads there. */
export function stepsTo<Step>(known: Upgradable<Step>, found: FoundFormat): Step[] | undefined {
  if (found.version === known.version) return found.fingerprint === known.fingerprint ? [] : undefined;
  if (found.version === null || found.version > known.version) return undefined;
  const wanted = Array.from({ length: known.version - found.version }, (_, index) => known.upgrades[Number(found.version) + 1 + index]);
  const steps = wanted.flatMap(upgrade => (upgrade ? [upgrade.step] : []));
  return wanted[0]?.from === found.fingerprint && steps.length === wanted.length ? steps : undefined;
}

/**
 * The reason of a refusal, as one sentence. `subject` contains the data; `anew` says how to start
 * without them.
 */
export function refusalText(known: StoredFormat, found: FoundFormat, { subject, anew }: { subject: string; anew: string }): string {
  const { version, fingerprint } = found;
  const isNewer = fingerprint !== null && version !== null && version > known.version;
  const writer = isNewer ? 'a newer Troupe' : `${fingerprint === null ? 'an older' : 'another'} revision of Troupe`;
  const what = `${version === null ? 'no format version' : `format version ${version}`} ${named(fingerprint)}, written by ${writer}`;
  const ours = `this one reads version ${known.version} ${named(known.fingerprint)} and changed nothing`;
  return `${subject} has ${what}; ${ours}: ${anew}, or start the revision that wrote it`;
}

const named = (fingerprint: string | null): string => (fingerprint === null ? 'without a fingerprint' : `with fingerprint ${fingerprint}`);

const DIGITS = 12;

/** A fingerprint where only numbers can be stored: 48 bits are exact. */
export const toNumber = (fingerprint: string): number => Number.parseInt(fingerprint, 16);

export const toFingerprint = (stored: number): string => stored.toString(16).padStart(DIGITS, '0');
