/** From a command and an app to the program and its arguments. */
import { CommandProblem, splitCommand } from '../../lib/command-words.ts';
import type { ProcessSpec } from '../../protocol/agent.ts';
import type { Programs } from '../ports.ts';

/** What a run finds in its working directory. */
export interface RunFiles {
  directory: string;
  /** The file name of a bare script of an app. */
  script: string | undefined;
  /** Whose they are, for messages. */
  of: 'app' | 'directory of the job';
}

/**
 * The argv of a run. With `shell` a string goes to the host's shell as it is, and `lastArgument` is
 * its `$1`. Otherwise the first word is looked up
 *   1. among its files (backslashes are separators there), whatever the PATH has;
 *   2. of a bare script app the whole command is arguments of the script, when it is empty, begins
 *      with `-`, or its first word is found neither in that directory nor on the PATH;
 *   3. on the PATH of the run.
 * Throws CommandProblem.
 */
export async function resolveArgv(
  spec: Pick<ProcessSpec, 'command' | 'shell' | 'lastArgument'>,
  files: RunFiles | undefined,
  path: string,
  programs: Programs,
): Promise<string[]> {
  const last = spec.lastArgument === undefined ? [] : [spec.lastArgument];
  if (spec.shell && typeof spec.command === 'string') {
    const shell = await programs.shell();
    return [shell, '-c', spec.command, ...(last.length > 0 ? [shell, ...last] : [])];
  }
  const { words, firstWritten } =
    typeof spec.command === 'string' ? splitCommand(spec.command) : { words: spec.command, firstWritten: spec.command[0] };
  const [first, ...rest] = words;
  const script = files?.script === undefined ? undefined : await programs.inApp(files.directory, files.script);
  if (first === undefined || first === '') {
    if (script === undefined) throw new CommandProblem('the command is empty');
    return [script, ...rest, ...last];
  }
  if (script !== undefined && first.startsWith('-')) return [script, ...words, ...last];
  const found = (files && (await inApp(files.directory, [firstWritten, first], programs))) ?? (await programs.onPath(first, path));
  if (found !== undefined) return [found, ...rest, ...last];
  if (script !== undefined) return [script, ...words, ...last];
  throw new CommandProblem(await whyNotFound(first, files, programs));
}

async function whyNotFound(name: string, files: RunFiles | undefined, programs: Programs): Promise<string> {
  if (name.startsWith('/')) {
    const isThere = await programs.exists(name);
    return isThere ? `"${name}" may not be executed on this host` : `there is no program "${name}" on this host`;
  }
  if (files) return `the program "${name}" is neither in the ${files.of} nor on the PATH of this host`;
  if (name.includes('/')) return `the program "${name}" is a relative path, which is looked up in an app alone; write an absolute path`;
  return `the program "${name}" is not on the PATH of this host`;
}

async function inApp(directory: string, names: (string | undefined)[], programs: Programs): Promise<string | undefined> {
  for (const name of new Set(names)) {
    if (name === undefined || name.startsWith('/')) continue;
    const found = await programs.inApp(directory, name.replaceAll('\\', '/'));
    if (found !== undefined) return found;
  }
  return undefined;
}
