/** From a command and an app to the program that is run and its arguments. */
import type { PreparedApp, Programs } from './ports.ts';
import type { ProcessSpec } from './protocol.ts';

/** The command cannot be run; the message is the run's reason. */
export class CommandProblem extends Error {
  readonly code = 'command';
}

export interface Words {
  words: string[];
  /** The first word as it was written: `bin\start.sh` means `bin/start.sh` when the app has that file, though a shell would drop the backslash. */
  firstWritten: string | undefined;
}

/** Splits like a POSIX shell: quotes and backslashes, no expansion of any kind. Throws CommandProblem on an open quote or a lone backslash at the end. */
export function splitCommand(text: string): Words {
  const words: string[] = [];
  let firstWritten: string | undefined;
  let word: string | undefined;
  let wordFrom = 0;
  let at = 0;
  const endWord = () => {
    if (word === undefined) return;
    if (words.length === 0) firstWritten = text.slice(wordFrom, at);
    words.push(word);
    word = undefined;
  };
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === ' ' || char === '\t' || char === '\n' || char === '\r') {
      endWord();
      at++;
      continue;
    }
    if (word === undefined) {
      word = '';
      wordFrom = at;
    }
    if (char === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) throw new CommandProblem('the command has a single quote that is never closed');
      word += text.slice(at + 1, end);
      at = end + 1;
    } else if (char === '"') {
      const quoted = doubleQuoted(text, at + 1);
      word += quoted.text;
      at = quoted.end;
    } else if (char === '\\') {
      if (at + 1 >= text.length) throw new CommandProblem('the command ends with a backslash that escapes nothing');
      // A backslash before a line break joins the lines.
      if (text.charAt(at + 1) !== '\n') word += text.charAt(at + 1);
      at += 2;
    } else {
      word += char;
      at++;
    }
  }
  endWord();
  return { words, firstWritten };
}

/** Inside double quotes a backslash escapes only `$`, backtick, `"`, itself and a line break. */
function doubleQuoted(text: string, from: number): { text: string; end: number } {
  let out = '';
  let at = from;
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === '"') return { text: out, end: at + 1 };
    const next = text.charAt(at + 1);
    if (char === '\\' && next !== '' && '$`"\\\n'.includes(next)) {
      if (next !== '\n') out += next;
      at += 2;
    } else {
      out += char;
      at++;
    }
  }
  throw new CommandProblem('the command has a double quote that is never closed');
}

/**
 * The argv of a run. With `shell` a string goes to the host's shell as it is, and `lastArgument` is its `$1`. Otherwise the first word is looked up
 *   1. in the app's directory (backslashes are separators there), whatever the PATH has;
 *   2. for a bare script app: when the command is empty, begins with `-`, or its first word is found neither there nor on the PATH, the whole command
 *      is arguments of the script;
 *   3. on the PATH of the run.
 * Throws CommandProblem.
 */
export async function resolveArgv(
  spec: Pick<ProcessSpec, 'command' | 'shell' | 'lastArgument'>,
  app: PreparedApp | undefined,
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
  const script = app?.script === undefined ? undefined : await programs.inApp(app.directory, app.script);
  if (first === undefined || first === '') {
    if (script === undefined) throw new CommandProblem('the command is empty');
    return [script, ...rest, ...last];
  }
  if (script !== undefined && first.startsWith('-')) return [script, ...words, ...last];
  const found = (app && (await inApp(app.directory, [firstWritten, first], programs))) ?? (await programs.onPath(first, path));
  if (found !== undefined) return [found, ...rest, ...last];
  if (script !== undefined) return [script, ...words, ...last];
  throw new CommandProblem(`the program "${first}" is ${app ? 'neither in the app nor' : 'not'} on the PATH of this host`);
}

async function inApp(directory: string, names: (string | undefined)[], programs: Programs): Promise<string | undefined> {
  for (const name of new Set(names)) {
    if (name === undefined || name.startsWith('/')) continue;
    const found = await programs.inApp(directory, name.replaceAll('\\', '/'));
    if (found !== undefined) return found;
  }
  return undefined;
}
