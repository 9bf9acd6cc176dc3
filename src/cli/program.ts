/**
 * The verbs that are programs of their own and stay: each is loaded alone, without the verbs that ask and go. Beside them what every verb has in common: whatever
 * comes out becomes an exit code, and a failure one sentence.
 */
import { EXIT, Failure } from './failure.ts';
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

/** Never rejects: what nobody foresaw is told in one sentence too. */
export async function inOneSentence(argv: string[], shell: Shell, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (shell.signal.aborted) return shell.signal.reason === 'EPIPE' ? EXIT.done : EXIT.failed;
    const failure =
      error instanceof Failure ? error : new Failure(EXIT.failed, error instanceof Error ? error.message : String(error), { cause: error });
    const { code, message, field } = failure;
    const json = argv.includes('--json') && (argv.indexOf('--') < 0 || argv.indexOf('--json') < argv.indexOf('--'));
    shell.say(json ? JSON.stringify({ error: { code, message, ...(field === undefined ? {} : { field }) } }) : `troupe: ${message}`);
    return failure.exit;
  }
}
