/**
 * The form of the database. Until the first release version 1 may change in place: then only the
 * fingerprint changes. From then on each change raises the version and adds an upgrade: see
 * `../README.md`.
 */
import type { Upgradable } from '../../lib/stored-format.ts';

/** Each statement is idempotent, so that an upgrade may start again after a crash. */
export type SqliteSchema = Upgradable<string[]>;

export const SQLITE_SCHEMA: SqliteSchema = {
  version: 1,
  fingerprint: 'c23d83ce037f',
  /** Changes of rows of the version before, beside new columns and indexes. */
  upgrades: {},
};
