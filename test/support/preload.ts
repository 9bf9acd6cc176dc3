/**
 * Loaded before every test file: a promise nobody handled is a failed run, not a line in the log,
 * and no directory is left behind.
 */
import { afterAll } from 'bun:test';
import { deleteTempDirs } from './temp-dir.ts';

afterAll(deleteTempDirs);

process.on('unhandledRejection', reason => {
  console.error('unhandled rejection in a test:', reason);
  process.exitCode = 1;
  throw reason;
});
