/** A command text -> its words. The API refuses by this rule what an agent cannot split. */

/** The command cannot be run; the message is the run's reason. */
export class CommandProblem extends Error {
  readonly code = 'command';
}

export interface Words {
  words: string[];
  /**
   * The first word as written: `bin\start.sh` means `bin/start.sh` when the app has that file,
   * though a shell would drop the backslash.
   */
  firstWritten: string | undefined;
  /**
   * Each word without its quoted or escaped characters: a shell operator that remains was written
   * as one.
   */
  bare: string[];
}

/**
 * Splits like a POSIX shell: quotes and backslashes, no expansion of any kind. Throws
 * CommandProblem on an open quote or a lone backslash at the end.
 */
export function splitCommand(text: string): Words {
  const words: string[] = [];
  const bare: string[] = [];
  let plain = '';
  let firstWritten: string | undefined;
  let word: string | undefined;
  let wordFrom = 0;
  let at = 0;
  const endWord = () => {
    if (word === undefined) return;
    if (words.length === 0) firstWritten = text.slice(wordFrom, at);
    words.push(word);
    bare.push(plain);
    word = undefined;
    plain = '';
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
      plain += char;
      at++;
    }
  }
  endWord();
  return { words, firstWritten, bare };
}

/** Words as one text, quoted as for a shell; `splitCommand` gives them back. */
export const joinWords = (words: readonly string[]): string => words.map(quotedWord).join(' ');

const quotedWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

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
