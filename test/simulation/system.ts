/**
 * State that all parts of one simulated system share: time, random numbers, the trace, and the
 * violations.
 */
import { type Random, randomOf } from './random.ts';
import { createSimulatedTime, type SimulatedTime } from './time.ts';

/** 2026-11-22T08:00:00Z, a full minute: the ledger's check counts seconds of it. */
export const START = Date.UTC(2026, 10, 22, 8);

export interface SimulatedSystem {
  readonly seed: number;
  readonly time: SimulatedTime;
  random(name: string): Random;
  /** Writes a line of the trace; `text` is only called when there is a reader. */
  note(what: string, text: () => string): void;
  /** An invariant does not hold. The first one ends the run. */
  fail(invariant: string, sentence: string): void;
  readonly violations: string[];
}

export function createSimulatedSystem(seed: number, trace?: (line: string) => void, ignores: readonly string[] = []): SimulatedSystem {
  const time = createSimulatedTime(START);
  const violations: string[] = [];
  const note: SimulatedSystem['note'] = (what, text) => trace?.(`${time.elapsed.toFixed(3).padStart(11)} ${what.padEnd(10)} ${text()}`);
  return {
    seed,
    time,
    random: name => randomOf(`${seed}/${name}`),
    note,
    fail(invariant, sentence) {
      if (ignores.includes(invariant)) return;
      violations.push(`${invariant}: ${sentence} (at ${(time.elapsed / 1000).toFixed(3)} s)`);
      note('VIOLATION', () => `${invariant}: ${sentence}`);
    },
    violations,
  };
}
