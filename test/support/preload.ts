/**
 * Loaded before every test file: an unhandled rejection fails the run, and no directory is left
 * behind.
 */
import { afterAll } from 'bun:test';
import { deleteTempDirs } from './temp-dir.ts';

afterAll(deleteTempDirs);

process.on('unhandledRejection', reason => {
  console.error('unhandled rejection in a test:', reason);
  process.exitCode = 1;
  throw reason;
});
