/**
 * Secrets in the environment and on the command line of this process. /proc/<pid>/environ shows
 * them to every process of the same user and /proc/<pid>/cmdline to everybody, for as long as the
 * process lives. This file overwrites them in memory after they are read.
 */
import { readFileSync } from 'node:fs';
import { openLibc } from './libc.ts';

/** Variables that hold a secret or an address with a password, each with its flag. */
const SECRETS = {
  TROUPE_ROOT_PASSWORD: '--root-password',
  TROUPE_JOIN_TOKEN: '--token',
  TROUPE_STORE: '--store',
  TROUPE_SMTP: '--smtp',
  TROUPE_WEBHOOK_SECRET: '--webhook-secret',
  TROUPE_API_TOKEN: undefined,
} as const;
const VARIABLES: readonly string[] = Object.keys(SECRETS);
const FLAGS: readonly string[] = Object.values(SECRETS).filter(flag => flag !== undefined);

const PR_SET_DUMPABLE = 4;

/** A secret in a block of NUL-terminated words: offset and length in bytes. */
export interface Span {
  at: number;
  length: number;
}

/**
 * Removes the secrets from `process.env`, so that no child inherits them, and overwrites them in
 * memory. Also makes this process non-dumpable (prctl PR_SET_DUMPABLE): processes of the same user,
 * other than root's, can no longer read its memory or trace it. Resolves with false where libc
 * cannot be called (Deno without --allow-ffi): then only children lose the secrets. Idempotent.
 */
export async function dropSecrets(): Promise<boolean> {
  for (const name of VARIABLES) delete process.env[name];
  const libc = await openLibc({ memset: ['u64', 'i32', 'u64'], prctl: ['i32', 'u64', 'u64', 'u64', 'u64'] });
  if (libc === undefined) return false;
  try {
    const { argStart, envStart } = startsIn(readFileSync('/proc/self/stat', 'utf8'));
    const cover = (start: number, found: Span[]) => {
      for (const { at, length } of found) libc.memset(BigInt(start + at), '*'.charCodeAt(0), BigInt(length));
    };
    cover(envStart, secretsIn(readFileSync('/proc/self/environ')));
    cover(argStart, secretFlagsIn(readFileSync('/proc/self/cmdline')));
  } catch {
    // Without access to /proc of this process there are no addresses to write to.
  }
  return libc.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
}

/**
 * `arg_start` and `env_start` of /proc/<pid>/stat: fields 48 and 50 of proc(5). The program name in
 * field 2 may hold blanks and brackets.
 */
export function startsIn(stat: string): { argStart: number; envStart: number } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { argStart: Number(fields[48 - 3]), envStart: Number(fields[50 - 3]) };
}

/** Values of the variables of `SECRETS` in the bytes of /proc/<pid>/environ. */
export const secretsIn = (environ: Uint8Array): Span[] =>
  wordsOf(environ).flatMap(({ text, at }) => {
    const name = VARIABLES.find(each => text.startsWith(`${each}=`));
    return name === undefined ? [] : [secretOf(text, at, name.length + 1)];
  });

/** Values of `SECRETS` flags in /proc/<pid>/cmdline: the next word, or the text after `=`. */
export function secretFlagsIn(cmdline: Uint8Array): Span[] {
  const words = wordsOf(cmdline);
  return words.flatMap(({ text, at }, index) => {
    const joined = FLAGS.find(flag => text.startsWith(`${flag}=`));
    if (joined !== undefined) return [secretOf(text, at, joined.length + 1)];
    return FLAGS.includes(words[index - 1]?.text ?? '') ? [secretOf(text, at, 0)] : [];
  });
}

const secretOf = (text: string, at: number, from: number): Span => ({ at: at + from, length: text.length - from });

/** Decodes as latin1, where one character is one byte. */
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
