#!/usr/bin/env bun
/** The program `troupe`. */
import process from 'node:process';
import { run } from './run.ts';
import { systemShell } from './shell.ts';
import { VERBS } from './verbs/index.ts';

if (import.meta.main) process.exit(await run(process.argv.slice(2), systemShell(), VERBS));
