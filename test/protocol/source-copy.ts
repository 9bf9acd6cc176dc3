/** A copy of the sources that a test edits, runs programs of, and type-checks. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dir, '..', '..');
const run = promisify(execFile);

export function aSourceCopy(name: string) {
  const copy = mkdtempSync(join(tmpdir(), `${name}-`));
  for (const part of ['actors', 'src', 'test', 'package.json', 'tsconfig.json'])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return {
    /** Puts `line` before the line that has `mark`. Throws unless exactly one has it. */
    insertBefore(file: string, mark: string, line: string): void {
      const path = join(copy, file);
      const lines = readFileSync(path, 'utf8').split('\n');
      const indexes = lines.flatMap((text, index) => (text.includes(mark) ? [index] : []));
      if (indexes.length !== 1) throw new Error(`${file} has ${indexes.length} lines with ${mark}, but must have one`);
      writeFileSync(path, lines.toSpliced(indexes[0] ?? 0, 0, line).join('\n'));
    },
    /** What a program of the copy prints as JSON. */
    async probe(file: string): Promise<Record<string, unknown>> {
      return JSON.parse((await run('bun', [file], { cwd: copy })).stdout);
    },
    /** The errors of the compiler for a file with this text; '' where there is none. */
    async typeErrors(text: string): Promise<string> {
      writeFileSync(join(copy, 'client-types.ts'), text);
      writeFileSync(join(copy, 'tsconfig.types.json'), JSON.stringify({ extends: './tsconfig.json', include: ['client-types.ts'] }));
      const tsc = join(ROOT, 'node_modules/.bin/tsc');
      const args = ['--noEmit', '-p', 'tsconfig.types.json'];
      return (await run(tsc, args, { cwd: copy }).catch((problem: { stdout: string }) => problem)).stdout;
    },
    remove: () => rmSync(copy, { recursive: true, force: true }),
  };
}
