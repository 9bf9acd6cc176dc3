/** Reasons why a program could not be started, as one sentence each. */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { delimiter } from 'node:path';
import type { SpawnRequest } from './ports.ts';

const HEAD_BYTES = 256;
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf';

/** The host has no descriptor, process or memory left, for any run. */
export const isExhausted = (error: unknown): boolean =>
  ['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'].includes((error as { code?: string }).code ?? '');

export function startFailure({ argv: [program = ''], cwd, env }: SpawnRequest, error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  const subject = `"${program}" could not be started`;
  if (!statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) return `${subject}: its working directory ${cwd} does not exist`;
  if (!mayEnter(cwd)) return `${subject}: this user may not enter its working directory ${cwd}`;
  const flaw = flawOf(program);
  if ((code === 'ENOENT' || code === 'ENOEXEC') && flaw !== undefined) return `${subject}: ${flaw}`;
  if (code === 'ENOENT' && program.includes('/')) return `${subject}: the file, or the interpreter that it names, does not exist`;
  if (code === 'ENOENT')
    return `${subject}: it is in none of the directories of PATH (${(env.PATH ?? '').split(delimiter).join(', ') || 'empty'})`;
  if (code === 'EACCES') return `${subject}: the file ${program} is not executable for this user`;
  if (code === 'ENOEXEC') return `${subject}: the file is neither a program nor a script with a #! line`;
  if (code === 'EMFILE' || code === 'ENFILE') return `${subject}: the host has no file descriptors left`;
  if (code === 'EAGAIN' || code === 'ENOMEM') return `${subject}: the host has no room for another process (${code})`;
  if (code === 'E2BIG') return `${subject}: its arguments and environment are too large`;
  return `${subject}: ${message ?? String(error)}`;
}

/** The first bytes of a file, one character each; '' when it cannot be read. */
function headOf(program: string): string {
  try {
    const fd = openSync(program, 'r');
    try {
      const bytes = Buffer.alloc(HEAD_BYTES);
      return bytes.toString('latin1', 0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

/** A script without `#!`. Shells decide by the same rule: no NUL in its first line. */
export function isPlainScript(program: string): boolean {
  const head = headOf(program);
  const [line = ''] = head.split('\n');
  return head !== '' && !line.includes('\0') && !head.startsWith('#!') && !head.startsWith(BYTE_ORDER_MARK);
}

/** Changes by editors of other systems, for which the kernel does not find the interpreter. */
function flawOf(program: string): string | undefined {
  const head = headOf(program);
  if (head.startsWith(`${BYTE_ORDER_MARK}#!`)) return 'its script has a byte order mark before #!; save it as UTF-8 without one';
  if (head.startsWith(BYTE_ORDER_MARK)) return 'its script begins with a byte order mark; save it as UTF-8 without one';
  return lineEndFlaw(head);
}

/**
 * The same for Windows line ends alone, which `#!/usr/bin/env sh` would report as ENOENT of `sh\r`.
 */
export const lineEndFlawOf = (program: string): string | undefined => lineEndFlaw(headOf(program));

function lineEndFlaw(head: string): string | undefined {
  const [line = ''] = head.split('\n');
  if (!line.startsWith('#!') || !line.endsWith('\r')) return undefined;
  return `its script has Windows line ends, so the kernel looks for "${line.slice(2, -1).trim()}" followed by a carriage return; save it with Unix line ends`;
}

function mayEnter(directory: string): boolean {
  try {
    accessSync(directory, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
