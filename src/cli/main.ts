#!/usr/bin/env bun
/** The program `troupe`. */
import process from 'node:process';
import { programOf, reportFailure, runProgram } from './program.ts';
import { systemShell } from './shell.ts';

async function main(argv: string[]): Promise<number> {
  const shell = systemShell();
  const program = await programOf(argv[0]);
  if (program) return reportFailure(argv, shell, () => runProgram(program, argv.slice(1), shell));
  const [{ run }, { VERBS }] = await Promise.all([import('./run.ts'), import('./verbs/index.ts')]);
  return run(argv, shell, VERBS);
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
