/** The program on a pseudo-terminal of its own, as a person at a terminal sees it. */
import { join } from 'node:path';

export const MAIN = join(import.meta.dirname, '../../../src/cli/main.ts');

export interface Screen {
  /** Everything that the terminal was sent. */
  readonly text: string;
  /** Types; a line needs its `\r`. */
  type(keys: string): void;
  /** Resolves once the text is there. */
  shows(text: string): Promise<void>;
  /** Exit code. */
  exited: Promise<number>;
}

/** `command`: what is started there, the program when it is absent. */
export function onTerminal({
  args = [],
  command = [process.execPath, MAIN, ...args],
  columns = 80,
  env = {},
}: {
  args?: string[];
  command?: string[];
  columns?: number;
  env?: Record<string, string | undefined>;
}): Screen {
  let text = '';
  const waiting: { text: string; resolve: () => void }[] = [];
  const letters = new TextDecoder();
  const child = Bun.spawn(command, {
    env: { ...process.env, NO_COLOR: undefined, TERM: 'xterm-256color', ...env },
    terminal: {
      cols: columns,
      rows: 50,
      data(_, bytes) {
        text += letters.decode(bytes, { stream: true });
        for (const one of waiting) if (text.includes(one.text)) one.resolve();
      },
    },
  });
  return {
    get text() {
      return text;
    },
    type: keys => void child.terminal?.write(keys),
    shows: wanted =>
      new Promise(resolve => {
        if (text.includes(wanted)) resolve();
        else waiting.push({ text: wanted, resolve });
      }),
    exited: child.exited.then(code => {
      child.terminal?.close();
      return code;
    }),
  };
}

/** What is left of a screen without its colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what it is about.
export const withoutColours = (text: string): string => text.replaceAll(/\u001b\[(?:0|3[0-7]|90)m/g, '').replaceAll('\r\n', '\n');
