/**
 * What all parts of one simulated world share: its time, its dice, the record of what happened, and
 * the violations that were seen.
 */
import { type Dice, diceOf } from './dice.ts';
import { createSimulatedTime, type SimulatedTime } from './time.ts';

/** 2026-11-22T08:00:00Z, a full minute: the ledger's check counts seconds of it. */
export const START = Date.UTC(2026, 10, 22, 8);

export interface World {
  readonly seed: number;
  readonly time: SimulatedTime;
  dice(name: string): Dice;
  /** Writes a line of the trace; `text` is only asked for when somebody reads. */
  note(what: string, text: () => string): void;
  /** An invariant does not hold. The first one ends the run. */
  fail(invariant: string, sentence: string): void;
  readonly violations: string[];
}

export function createWorld(seed: number, trace?: (line: string) => void, ignores: readonly string[] = []): World {
  const time = createSimulatedTime(START);
  const violations: string[] = [];
  const note: World['note'] = (what, text) => trace?.(`${time.elapsed.toFixed(3).padStart(11)} ${what.padEnd(10)} ${text()}`);
  return {
    seed,
    time,
    dice: name => diceOf(`${seed}/${name}`),
    note,
    fail(invariant, sentence) {
      if (ignores.includes(invariant)) return;
      violations.push(`${invariant}: ${sentence} (at ${(time.elapsed / 1000).toFixed(3)} s)`);
      note('VIOLATION', () => `${invariant}: ${sentence}`);
    },
    violations,
  };
}
