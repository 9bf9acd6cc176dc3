/**
 * Backups that the center makes at an interval; it deletes the oldest. After a start the next
 * backup is due one interval after the newest one in the directory.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { pause } from '../lib/clock.ts';
import type { Backup } from '../store/sqlite/backup.ts';

export interface BackupStatus {
  /** Epoch ms of the newest backup; null: there is none. */
  madeAt: number | null;
  made: number;
  failed: number;
  /** Reason of the last failure; null: the last attempt succeeded. */
  problem: string | null;
}

export interface Backups {
  /** Makes a backup now and deletes those over the limit. Throws why no backup can be made. */
  runOnce(signal?: AbortSignal): Promise<Backup>;
  /** Runs until the signal aborts. A failure is logged, counted and tried again. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
  status(): BackupStatus;
}

/** Delay after a failure, ms; at most the interval. */
const AGAIN_MS = 60_000;
/** Uploaded files of a backup. */
const FILES = /^troupe-\d{8}T\d{9}Z\.sqlite\.files$/;
/** Names are in the order of time. */
const NAME = /^troupe-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.sqlite$/;

export function createBackups({
  directory,
  everyMs,
  keep,
  clock,
  log,
  make,
}: {
  /** Directory of the backups; created if missing. */
  directory: string;
  everyMs: number;
  /** Number of backups to keep. */
  keep: number;
  clock: Clock;
  log(level: 'info' | 'error', text: string, fields: Record<string, unknown>): void;
  make(order: { file: string; at: number }, signal: AbortSignal): Promise<Backup>;
}): Backups {
  let made = 0;
  let failed = 0;
  let problem: string | null = null;
  let madeAt: number | null = null;

  const names = (): string[] =>
    readdirSync(directory)
      .filter(name => NAME.test(name))
      .sort();
  const newest = (): number | null => {
    const last = names().at(-1);
    return last === undefined ? null : instantOf(last);
  };

  async function runOnce(signal = new AbortController().signal): Promise<Backup> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Partial files of an earlier center.
    for (const name of readdirSync(directory))
      if (/^troupe-.*\.sqlite(\.files)?\.partial/.test(name)) rmSync(join(directory, name), { recursive: true, force: true });
    const at = clock.now();
    const backup = await make({ file: join(directory, nameOf(at)), at }, signal);
    madeAt = at;
    // Only now that the new backup exists.
    for (const name of names().slice(0, -keep)) rmSync(join(directory, name), { force: true });
    const kept = new Set(names().map(name => `${name}.files`));
    for (const name of readdirSync(directory)) {
      if (FILES.test(name) && !kept.has(name)) rmSync(join(directory, name), { recursive: true, force: true });
    }
    return backup;
  }

  async function attempt(signal: AbortSignal): Promise<void> {
    try {
      const { file, bytes, files, missingFiles } = await runOnce(signal);
      made += 1;
      problem = null;
      log('info', 'a backup was made and verified', { file, bytes, files, ...(missingFiles > 0 && { missingFiles }) });
    } catch (error) {
      if (signal.aborted) return;
      failed += 1;
      problem = error instanceof Error ? error.message : String(error);
      log('error', 'a backup cannot be made', { directory, problem });
    }
  }

  return {
    runOnce,
    async run(signal, ready) {
      ready();
      try {
        madeAt = newest();
      } catch {
        // The directory does not exist yet: the first backup creates it, or reports why it cannot.
      }
      for (;;) {
        const dueInMs = problem !== null ? AGAIN_MS : madeAt === null ? 0 : madeAt + everyMs - clock.now();
        if (dueInMs > 0) await pause(clock, Math.min(dueInMs, everyMs), signal);
        if (signal.aborted) return;
        await attempt(signal);
      }
    },
    status: () => ({ madeAt, made, failed, problem }),
  };
}

/** For `detail` of `/v1/ready`. */
export const backupWarnings = ({ problem, madeAt }: BackupStatus): string[] =>
  problem === null
    ? []
    : [
        `a backup cannot be made: ${problem}; ${madeAt === null ? 'there is none yet' : `the last one was made at ${new Date(madeAt).toISOString()}`}`,
      ];

const nameOf = (at: number): string => `troupe-${new Date(at).toISOString().replace(/[-:.]/g, '')}.sqlite`;
const instantOf = (name: string): number => Date.parse(name.replace(NAME, '$1-$2-$3T$4:$5:$6.$7Z'));
