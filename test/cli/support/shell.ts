/** A scripted terminal: it keeps the output and gives the answers of the test. */

import { run } from '../../../src/cli/run.ts';
import type { Shell } from '../../../src/cli/shell.ts';
import { VERBS } from '../../../src/cli/verbs/index.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { tempDir } from '../../support/temp-dir.ts';

export interface TestShell extends Shell {
  /** What a pipe behind the verb got. */
  out(): string;
  /** What processes wrote to their standard error. */
  err(): string;
  /** Standard error of the verb, line by line. */
  notices: string[];
  end(reason?: string): void;
  /** Resolves once `out()` holds this. */
  shows(text: string): Promise<void>;
}

export function aShell({ input = '', ...given }: Partial<Shell> & { input?: string } = {}): TestShell {
  const ending = new AbortController();
  const waiting: { text: string; resolve: () => void }[] = [];
  let written = '';
  let wrong = '';
  const notices: string[] = [];
  return {
    write: async text => {
      written += text;
      for (const one of waiting) if (written.includes(one.text)) one.resolve();
    },
    writeError: async text => {
      wrong += text;
    },
    notify: line => void notices.push(line),
    endLine: () => {},
    isTerminal: false,
    isErrorTerminal: given.isTerminal ?? false,
    columns: Number.POSITIVE_INFINITY,
    readInput: async () => input,
    readSecret: async () => input,
    dropSecrets: async () => {},
    signal: ending.signal,
    clock: systemClock,
    ...given,
    env: { HOME: tempDir('home'), ...given.env },
    out: () => written,
    err: () => wrong,
    notices,
    end: (reason = 'SIGINT') => ending.abort(reason),
    shows: text =>
      new Promise(resolve => {
        if (written.includes(text)) resolve();
        else waiting.push({ text, resolve });
      }),
  };
}

/** Runs a line as one would type it (words split at spaces; an array for anything harder). */
export async function troupe(
  line: string | string[],
  shell: TestShell = aShell(),
): Promise<{ exit: number; out: string; notices: string[] }> {
  const exit = await run(typeof line === 'string' ? line.split(' ').filter(word => word !== '') : line, shell, VERBS);
  return { exit, out: shell.out(), notices: shell.notices };
}
