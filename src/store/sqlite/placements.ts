/**
 * Tables for lists of executions beyond the columns of an actor. SQLite cannot index the items of a
 * JSON list, and some queries need two filters in one index. Triggers update the tables with each
 * write of an actor. A turn without a new placement and a successful end do not touch them.
 *
 *   placements          which execution was placed on which host
 *   failed_placements   the same for executions that did not succeed, for the failures of a host
 *
 * `since` is the creation of the execution, because lists are newest first. `job` lets a query for
 * host and job read these short rows alone.
 */

const WENT_WRONG = `<> 'succeeded'`;

const placed = 'insert or ignore into placements select value, new.at, new._id, new.parent from json_each(new.hosts)';
const left = 'delete from placements where host in (select value from json_each(old.hosts)) and since = old.at and actor = old._id';
const failed = `insert or ignore into failed_placements select value, new.outcome, new.at, new._id, new.parent from json_each(new.hosts) where new.outcome ${WENT_WRONG}`;
const mended =
  'delete from failed_placements where host in (select value from json_each(old.hosts)) and ended = old.outcome and since = old.at and actor = old._id';

/** Each statement is idempotent. */
export const PLACEMENTS = [
  'create table if not exists placements (host text not null, since integer not null, actor text not null, job text, primary key (host, since, actor)) without rowid',
  `create trigger if not exists placements_inserted after insert on actors when new.hosts <> '[]' begin ${placed}; end`,
  `create trigger if not exists placements_updated after update of hosts, at on actors when old.hosts <> new.hosts or old.at <> new.at begin ${left}; ${placed}; end`,
  `create trigger if not exists placements_deleted after delete on actors when old.hosts <> '[]' begin ${left}; end`,
  'create table if not exists failed_placements (host text not null, ended text not null, since integer not null, actor text not null, job text, primary key (host, ended, since, actor)) without rowid',
  `create trigger if not exists failed_placements_inserted after insert on actors when new.hosts <> '[]' and new.outcome ${WENT_WRONG} begin ${failed}; end`,
  `create trigger if not exists failed_placements_updated after update of outcome, hosts, at on actors when old.outcome ${WENT_WRONG} or new.outcome ${WENT_WRONG} begin ${mended}; ${failed}; end`,
  `create trigger if not exists failed_placements_deleted after delete on actors when old.outcome ${WENT_WRONG} and old.hosts <> '[]' begin ${mended}; end`,
  // The same for jobs. Queries repeat the condition literally: SQLite uses a partial index only for
  // the same condition.
  `create index if not exists executions_failed on actors (parent, outcome, at, _id) where kind = 'execution' and outcome ${WENT_WRONG}`,
];
