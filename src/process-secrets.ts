/**
 * Secrets that came with the environment or the command line stay readable in /proc/<pid>/environ and /proc/<pid>/cmdline for as long as
 * the process lives: to every process of the same user, and of the latter to everybody. Once they are read they are written over there.
 */
import { readFileSync } from 'node:fs';
import { openLibc } from './libc.ts';

/** Variables that hold a secret, or an address with one in it; and the flags that stand for them. */
export const SECRETS = {
  TROUPE_ROOT_PASSWORD: '--root-password',
  TROUPE_JOIN_TOKEN: '--token',
  TROUPE_STORE: '--store',
  TROUPE_SMTP: '--smtp',
  TROUPE_API_TOKEN: undefined,
} as const;
const VARIABLES: readonly string[] = Object.keys(SECRETS);
const FLAGS: readonly string[] = Object.values(SECRETS).filter(flag => flag !== undefined);

const PR_SET_DUMPABLE = 4;

/** Bytes of a text of NUL-ended words, and how many of them are secret. */
export interface Stretch {
  at: number;
  length: number;
}

/**
 * Takes them out of this process's environment, so that no child inherits them, and writes over them in its memory, where /proc looks.
 * From then on no process of the same user may look into this one's memory or files in /proc either (prctl PR_SET_DUMPABLE; root may).
 * Idempotent. Where libc cannot be called (Deno without --allow-ffi) only children are kept from them: then it resolves with false.
 */
export async function dropSecrets(): Promise<boolean> {
  for (const name of VARIABLES) delete process.env[name];
  const libc = await openLibc({ memset: ['u64', 'i32', 'u64'], prctl: ['i32', 'u64', 'u64', 'u64', 'u64'] });
  if (libc === undefined) return false;
  try {
    const { argStart, envStart } = startsIn(readFileSync('/proc/self/stat', 'utf8'));
    const cover = (start: number, found: Stretch[]) => {
      for (const { at, length } of found) libc.memset(BigInt(start + at), '*'.charCodeAt(0), BigInt(length));
    };
    cover(envStart, secretsIn(readFileSync('/proc/self/environ')));
    cover(argStart, secretFlagsIn(readFileSync('/proc/self/cmdline')));
  } catch {
    // A /proc that is hidden from us is hidden from others, too.
  }
  return libc.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
}

/** `arg_start` and `env_start` of /proc/<pid>/stat (proc(5), fields 48 and 50). The name of the program may hold blanks and brackets. */
export function startsIn(stat: string): { argStart: number; envStart: number } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { argStart: Number(fields[48 - 3]), envStart: Number(fields[50 - 3]) };
}

/** Values of our variables in an environment as the kernel shows it. */
export const secretsIn = (environ: Uint8Array): Stretch[] =>
  wordsOf(environ).flatMap(({ text, at }) => {
    const name = VARIABLES.find(each => text.startsWith(`${each}=`));
    return name === undefined ? [] : [secretOf(text, at, name.length + 1)];
  });

/** Values of our flags in a command line: the word behind one, or what follows its `=`. */
export function secretFlagsIn(cmdline: Uint8Array): Stretch[] {
  const words = wordsOf(cmdline);
  return words.flatMap(({ text, at }, place) => {
    const joined = FLAGS.find(flag => text.startsWith(`${flag}=`));
    if (joined !== undefined) return [secretOf(text, at, joined.length + 1)];
    return FLAGS.includes(words[place - 1]?.text ?? '') ? [secretOf(text, at, 0)] : [];
  });
}

const secretOf = (text: string, at: number, from: number): Stretch => ({ at: at + from, length: text.length - from });

/** As latin1, so that a letter is a byte. */
function wordsOf(bytes: Uint8Array): { text: string; at: number }[] {
  let at = 0;
  return Buffer.from(bytes)
    .toString('latin1')
    .split('\0')
    .map(text => {
      const word = { text, at };
      at += text.length + 1;
      return word;
    });
}
