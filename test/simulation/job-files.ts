/**
 * Files of jobs, and the directories of each host in which their runs work. A content of the center
 * is there, slow or missing, and changes that with time.
 */
import { ArtifactError, type JobDirectories } from '../../src/agent/ports.ts';
import type { Process } from './processes.ts';
import { type Random, randomOf } from './random.ts';
import type { SimulatedSystem } from './system.ts';
import type { Program } from './time.ts';

type Wanted = Parameters<JobDirectories['prepare']>[0];

export interface HostDirectories {
  portFor(agent: Program): JobDirectories;
  /** Whether this directory is there, with all of its files. */
  isWhole(path: string): boolean;
}

/** A content keeps its state for so long, ms. */
const STATE_MS = 10_000;

/** How a fetch that begins now ends. */
function fetchOf({ seed, time }: SimulatedSystem, sha256: string): { isMissing: boolean; ms: number } {
  const random = randomOf(`${seed}/content ${sha256} ${Math.floor(time.elapsed / STATE_MS)}`);
  const drawn = random.fraction();
  return { isMissing: drawn < 0.15, ms: drawn < 0.4 ? random.between(500, 6_000) : random.between(0.1, 5) };
}

export const pathOf = ({ job, file }: Pick<Wanted, 'job' | 'file'>): string => `/jobs/${job}/${file?.sha256 ?? 'none'}`;

/** The directories of one host: on its disk, so they and their claims outlive agents. */
export function createHostDirectories(
  system: SimulatedSystem,
  host: string,
  random: Random,
  liveIn: (path: string) => Process | undefined,
): HostDirectories {
  const { time } = system;
  const whole = new Set<string>();
  const claims = new Map<string, string>();
  const isClaimed = (path: string) => [...claims.values()].includes(path);

  function remove(path: string): void {
    const process = liveIn(path);
    if (process) system.fail('files', `${host} removes ${path} under ${process.run}`);
    system.note('files', () => `${host} removes ${path}`);
    whole.delete(path);
  }
  /** Of directories that no run uses, some leave: for others, by age, by the bytes of all. */
  function removeSome(): void {
    for (const path of [...whole]) if (!isClaimed(path) && random.chance(0.3)) remove(path);
  }

  return {
    isWhole: path => whole.has(path),
    portFor(agent) {
      let isSettled = false;
      const pause = (ms: number) =>
        new Promise<void>(resolve => {
          time.after(ms, () => agent.isAlive && resolve());
        });
      const trim = () => isSettled && removeSome();
      return {
        async prepare(wanted, { run, signal }) {
          const path = pathOf(wanted);
          claims.set(run, path);
          try {
            if (!whole.has(path)) {
              const { isMissing, ms } = wanted.file ? fetchOf(system, wanted.file.sha256) : { isMissing: false, ms: 0.1 };
              await pause(ms);
              signal.throwIfAborted();
              if (isMissing)
                throw new ArtifactError('status', `file ${wanted.file?.name} of the job: the center does not have it`, {
                  transient: false,
                });
              system.note('files', () => `${host} makes ${path}`);
            }
            whole.add(path);
            trim();
            return path;
          } catch (problem) {
            claims.delete(run);
            throw problem;
          }
        },
        async release(run) {
          if (claims.delete(run)) trim();
        },
        async settle(live) {
          isSettled = true;
          for (const run of [...claims.keys()]) if (!live.has(run)) claims.delete(run);
          trim();
        },
        async sweep() {
          trim();
        },
      };
    },
  };
}
