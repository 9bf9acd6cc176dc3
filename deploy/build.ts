#!/usr/bin/env bun
/**
 * Makes `dist/troupe`, one file that is every part of Troupe: center, agent, keeper and command
 * line.
 *
 *   bun deploy/build.ts                           for this machine, with a check: the program
 *                                                 serves, accepts an agent and runs a job, and
 *                                                 the job outlives the agent
 *   bun deploy/build.ts --no-check                without the check
 *   bun deploy/build.ts --target bun-linux-arm64  for another machine, without the check
 */
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { $, chalk } from 'zx';
import { checkProgram } from './check.ts';

const { values } = parseArgs({ options: { target: { type: 'string' }, 'no-check': { type: 'boolean' } } });

const top = fileURLToPath(new URL('..', import.meta.url));
const outfile = `${top}dist/troupe${values.target ? values.target.replace(/^bun/, '') : ''}`;
$.cwd = top;

// Threads begin in files of their own, which nobody imports. Without folders in their names each is
// found beside whoever begins it.
const threads = [
  'src/runtime/workers/worker.ts',
  'src/store/sqlite/writer-worker/writer-thread.ts',
  'src/store/sqlite/backup-thread.ts',
  'src/security/password-worker.ts',
];
const names = ['--entry-naming', '[name].[ext]'];

// The running Bun is the one of the lock file, and becomes part of the program.
await $`${process.execPath} build --compile --minify ${values.target ? [`--target=${values.target}`] : []} --outfile ${outfile} ${names} src/cli/main.ts ${threads}`;
const inMB = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const runtime = values.target ? undefined : (await stat(process.execPath)).size;
const { size } = await stat(outfile);
console.log(`${outfile}  ${inMB(size)}${runtime === undefined ? '' : `, of which ${inMB(size - runtime)} is Troupe and the rest Bun`}`);

if (!values['no-check'] && !values.target) {
  await checkProgram(outfile);
  console.log(chalk.green('it serves, takes in an agent and runs a job, and a job outlives its agent'));
}
