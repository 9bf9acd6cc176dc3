/**
 * The verbs that run for long: each is loaded alone, without the other verbs. Also the end of every
 * verb: a result becomes an exit code, a failure one sentence.
 */
import { visibleJson } from '../lib/visible.ts';
import { EXIT, exitOf, Failure, Interrupted } from './failure.ts';
import type { Shell } from './shell.ts';
import type { Program } from './verb.ts';

const PROGRAMS: Record<string, () => Promise<Program>> = {
  up: async () => (await import('./verbs/up.ts')).up,
  center: async () => (await import('./verbs/center.ts')).center,
  agent: async () => (await import('./verbs/agent.ts')).agent,
  keeper: async () => (await import('./verbs/keeper.ts')).keeper,
};

/** The program of this name, if it is one. */
export async function programOf(name: string | undefined): Promise<Program | undefined> {
  return name !== undefined && Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name]?.() : undefined;
}

/** Resolves with its exit code. */
export async function runProgram(program: Program, args: string[], shell: Shell): Promise<number> {
  if (program.help === undefined || !(args.includes('--help') || args.includes('-h'))) return program.main(args, shell);
  await shell.write(`${program.help}\n`);
  return EXIT.done;
}

/** Resolves with the exit code. Never rejects: an unexpected error is one sentence, too. */
export async function reportFailure(argv: string[], shell: Shell, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    const signal = shell.signal.aborted ? String(shell.signal.reason) : undefined;
    if (signal === 'EPIPE') return EXIT.done;
    // An error after the signal needs no sentence; work that goes on does.
    if (signal !== undefined && !(error instanceof Interrupted)) return exitOf(signal);
    const failure =
      error instanceof Failure ? error : new Failure(EXIT.failed, error instanceof Error ? error.message : String(error), { cause: error });
    const { code, message, field } = failure;
    const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
    if (own.includes('--json'))
      shell.notify(visibleJson(JSON.stringify({ error: { code, message, ...(field === undefined ? {} : { field }) } })));
    else {
      // Loaded only here: the tables of `width.ts` take 20 ms of each start.
      const [{ wrapped }, { createTimes }] = await Promise.all([import('./width.ts'), import('./words.ts')]);
      const lines = `troupe: ${createTimes(own.includes('--utc')).localised(message)}`.split('\n');
      shell.notify(lines.flatMap(line => wrapped(line, shell.columns, '  ')).join('\n'));
    }
    return signal === undefined ? failure.exit : exitOf(signal);
  }
}
