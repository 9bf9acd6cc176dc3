/**
 * The form of the database. Until the first release version 1 may change in place: then only the
 * fingerprint changes. From then on each change raises the version and adds an upgrade: see
 * `../README.md`.
 */
import type { Upgradable } from '../../lib/stored-format.ts';

/** Each statement may run again after a crash in the middle. */
export type SqliteSchema = Upgradable<string[]>;

export const SQLITE_SCHEMA: SqliteSchema = {
  version: 1,
  fingerprint: 'bbe26d79cef2',
  /** What rows of the version before need beside new columns and indexes. */
  upgrades: {},
};
