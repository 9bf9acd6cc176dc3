/**
 * A wall clock that can be set under a running program: libfaketime, put before its libc. Waiting
 * stays true, as on a real machine.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface FakeTime {
  /** What the program must be started with. */
  env: Record<string, string>;
  /** The program's wall clock is so far from ours from now on, seconds. */
  set(seconds: number): void;
}

/** Undefined without libfaketime (Debian's package). `file` holds the offset. */
export function findFakeTime(): ((file: string) => FakeTime) | undefined {
  const folders = ['/usr/lib', '/usr/local/lib', ...readdirSync('/usr/lib').map(name => join('/usr/lib', name))];
  const library = folders.map(folder => join(folder, 'faketime/libfaketime.so.1')).find(path => existsSync(path));
  if (library === undefined) return undefined;
  return file => {
    const set = (seconds: number) => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    set(0);
    return {
      env: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        NO_FAKE_STAT: '1',
      },
      set,
    };
  };
}
