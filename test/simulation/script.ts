/**
 * What the processes of a job do: drawn from the seed and the name of the run, so that a run
 * behaves the same whatever happens around it.
 */
import { randomOf } from './random.ts';

export type Behaviour =
  | 'quick'
  | 'slow'
  | 'failing'
  /** Runs until it is killed; ends on TERM. */
  | 'endless'
  /** Runs until it is killed, and TERM does not do. */
  | 'stubborn'
  | 'chatty'
  /** Leaves a child behind that outlives it. */
  | 'littering'
  | 'unstartable';

export interface Script {
  /** How long it takes by itself, ms; infinite for what only a signal ends. */
  durationMs: number;
  exitCode: number;
  /** From TERM to its end, ms; null: TERM does nothing. */
  termMs: number | null;
  /** The exit code after TERM; null: ended by the signal. */
  termCode: number | null;
  /** How long a child goes on after the first process, ms; 0: there is none. */
  childMs: number;
  cannotStart: boolean;
  output: { atMs: number; stream: 'stdout' | 'stderr'; text: string }[];
}

const WORDS = ['ready', 'rows 17', 'zwölf', '日本', 'done', 'retrying', '🚀', 'x'.repeat(300)];

export function scriptOf(seed: number, behaviour: Behaviour, run: string): Script {
  const random = randomOf(`${seed}/script/${run}`);
  const script: Script = {
    durationMs: random.between(5, 400),
    exitCode: 0,
    termMs: random.between(0, 200),
    termCode: random.chance(0.3) ? random.pick([0, 143, 1]) : null,
    childMs: 0,
    cannotStart: false,
    output: random.chance(0.3) ? [{ atMs: 1, stream: 'stdout', text: `hello from ${run}\n` }] : [],
  };
  switch (behaviour) {
    case 'quick':
      return script;
    case 'slow':
      return { ...script, durationMs: random.between(2_000, 25_000) };
    case 'failing':
      return { ...script, exitCode: random.chance(0.6) ? random.whole(1, 255) : 0 };
    case 'endless':
      return { ...script, durationMs: Number.POSITIVE_INFINITY };
    case 'stubborn':
      return { ...script, durationMs: random.pick([Number.POSITIVE_INFINITY, 9_000]), termMs: null };
    case 'chatty': {
      const durationMs = random.between(200, 4_000);
      const output = Array.from({ length: random.whole(3, 12) }, () => ({
        atMs: random.between(0, durationMs),
        stream: random.pick(['stdout', 'stderr'] as const),
        text: `${random.pick(WORDS)}\n`,
      }));
      return { ...script, durationMs, output: output.sort((a, b) => a.atMs - b.atMs) };
    }
    case 'littering':
      return { ...script, childMs: random.between(100, 6_000) };
    case 'unstartable':
      return { ...script, cannotStart: random.chance(0.7) };
  }
}
