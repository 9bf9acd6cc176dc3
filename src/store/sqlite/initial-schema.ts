/**
 * Creates a new database without the ORM, which takes longer to load than the rest of a first
 * start. The statements are exactly those that the ORM makes of the entities; a test compares them.
 */
import { DatabaseSync } from 'node:sqlite';
import { type StoredFormat, toNumber } from '../../lib/stored-format.ts';
import { PLACEMENTS } from './placements.ts';

const TABLES = [
  'CREATE TABLE `actors` (`_id` text not null primary key, `kind` text not null, `partition` integer not null, `rev` integer not null, `incarnation` integer not null, `version` integer not null, `life` text not null, `quarantined` integer not null, `write_id` text not null, `state` text not null, `pending_effects` text not null, `next_due` bigint null, `armed` integer not null, `has_pending` integer not null, `listed` integer not null, `parent` text null, `pool` text null, `alias` text null, `group` text null, `status` text not null, `outcome` text null, `hosts` json not null, `at` bigint not null, `ended_at` bigint null)',
  'CREATE INDEX `actors_due` on `actors` (`next_due`, `_id`) where `armed` = true',
  'CREATE INDEX `actors_pending` on `actors` (`_id`) where `has_pending` = true',
  'CREATE INDEX `actors_newest` on `actors` (`kind`, `at`, `_id`)',
  "CREATE INDEX `executions_parent` on `actors` (`parent`, `at`, `_id`, `listed`) where `kind` = 'execution'",
  "CREATE INDEX `executions_ended` on `actors` (`parent`, `ended_at`, `_id`, `listed`, `outcome`) where `kind` = 'execution' and `ended_at` is not null",
  "CREATE INDEX `executions_status` on `actors` (`status`, `at`, `_id`, `listed`) where `kind` = 'execution'",
  "CREATE INDEX `executions_outcome` on `actors` (`outcome`, `at`, `_id`, `listed`) where `kind` = 'execution' and `outcome` is not null",
  "CREATE INDEX `jobs_name` on `actors` (`_id`, `listed`) where `kind` = 'job'",
  "CREATE INDEX `jobs_alias` on `actors` (`alias`, `_id`) where `kind` = 'job'",
  "CREATE INDEX `jobs_parent` on `actors` (`parent`, `_id`, `listed`) where `kind` = 'job' and `parent` is not null",
  "CREATE INDEX `jobs_pool` on `actors` (`pool`, `_id`, `listed`) where `kind` = 'job'",
  "CREATE INDEX `jobs_group` on `actors` (`group`, `_id`, `listed`, `pool`) where `kind` = 'job' and `group` is not null",
  "CREATE INDEX `jobs_status` on `actors` (`status`, `_id`, `listed`, `pool`, `group`, `outcome`) where `kind` = 'job'",
  "CREATE INDEX `jobs_outcome` on `actors` (`outcome`, `_id`, `listed`, `pool`, `group`) where `kind` = 'job' and `outcome` is not null",
  "CREATE INDEX `actors_tombstones` on `actors` (`at`, `_id`) where `life` = 'tombstone'",
  'CREATE TABLE `credentials` (`_id` text not null primary key, `kind` text not null, `id` text not null, `data` json not null, `expires_at` bigint null, `uses` integer null)',
  'CREATE INDEX `credentials_kind` on `credentials` (`kind`)',
  'CREATE TABLE `facts` (`_id` integer not null primary key autoincrement, `feed_segment` integer not null, `address` text not null, `rev` integer not null, `position` integer not null, `at` bigint not null, `type` text not null, `data` json not null)',
  'CREATE UNIQUE INDEX `facts_history` on `facts` (`feed_segment`, `address`, `rev`, `position`)',
  'CREATE TABLE `files` (`_id` text not null primary key, `name` text not null, `sha256` text not null, `md5` text not null, `bytes` integer not null, `uploaded_at` bigint not null, `needed_at` bigint not null)',
  'CREATE INDEX `files_sha256` on `files` (`sha256`, `uploaded_at`)',
  'CREATE INDEX `files_md5` on `files` (`md5`, `uploaded_at`)',
  'CREATE INDEX `files_name` on `files` (`name`, `uploaded_at`)',
  'CREATE INDEX `files_newest` on `files` (`uploaded_at`)',
  'CREATE TABLE `meta` (`_id` text not null primary key, `value` integer not null)',
  'CREATE TABLE `occurrences` (`_id` text not null primary key, `job` text not null, `from` bigint not null, `to` bigint not null, `count` integer not null, `verdict` text not null, `execution` text null, `reason` text null, `decided_at` bigint not null, `is_range` integer not null, `rule` text null)',
  'CREATE INDEX `occurrences_time` on `occurrences` (`job`, `from`)',
  'CREATE INDEX `occurrences_ranges` on `occurrences` (`job`, `to`) where `is_range` = true',
  'CREATE TABLE `output` (`_id` text not null primary key, `execution` text not null, `item` integer not null, `attempt` integer not null, `seq` integer not null, `at` bigint not null, `stream` text not null, `text` text not null, `bytes` integer not null, `left_out` integer not null)',
  'CREATE INDEX `output_sums` on `output` (`execution`, `item`, `attempt`, `seq`, `stream`, `bytes`)',
  'CREATE TABLE `posted_logs` (`_id` text not null primary key, `job` text not null, `id` text not null, `at` bigint not null, `received_at` bigint not null, `since` bigint not null, `stat` integer not null, `started_at` bigint null, `duration_ms` integer not null, `stdout_bytes` integer not null, `stderr_bytes` integer not null, `details` text not null, `stdout` text not null, `stderr` text not null, `stdout_before` text not null, `stderr_before` text not null)',
  'CREATE INDEX `posted_logs_time` on `posted_logs` (`job`, `at`, `id`, `stat`)',
  'CREATE INDEX `posted_logs_age` on `posted_logs` (`since`, `job`, `id`)',
  'CREATE TABLE `partitions` (`_id` integer not null primary key autoincrement, `owner` text not null, `epoch` integer not null)',
];

/** For a file that is empty or missing. A crash in the middle leaves it empty. */
export function createSchema(file: string, { pageBytes, format }: { pageBytes: number; format: StoredFormat }): void {
  const db = new DatabaseSync(file);
  try {
    // SQLite applies the page size only while the file is empty and has no WAL.
    db.exec(`pragma page_size = ${pageBytes}; pragma journal_mode = wal; pragma synchronous = full; begin immediate`);
    for (const sql of [...TABLES, ...PLACEMENTS]) db.exec(sql);
    db.exec(`insert into meta (_id, value) values ('probe', 0), ('revision', 0), ${formatRows(format)}; commit`);
  } finally {
    db.close();
  }
}

/** The rows of `meta` with version and fingerprint of the format. */
export const formatRows = ({ version, fingerprint }: StoredFormat): string =>
  `('schemaVersion', ${version}), ('schemaFingerprint', ${toNumber(fingerprint)})`;
