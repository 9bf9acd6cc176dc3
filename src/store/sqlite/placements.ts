/**
 * What lists of executions ask for beyond the columns of an actor: SQLite has no index over the
 * items of a list, and some questions that match little need two filters in one index. Triggers
 * keep the tables, whoever writes or removes an actor; a turn that places nothing and an end that
 * is a success do not touch them.
 *
 *   placements          which execution was placed on which host
 *   failed_placements   the same of executions that did not succeed, for the failures of a host
 *
 * `since` is when the execution was created: hosts are asked for their newest. With its job in it,
 * whoever asks for both walks these short rows alone.
 */

const WENT_WRONG = `<> 'succeeded'`;

const placed = 'insert or ignore into placements select value, new.at, new._id, new.parent from json_each(new.hosts)';
const left = 'delete from placements where host in (select value from json_each(old.hosts)) and since = old.at and actor = old._id';
const failed = `insert or ignore into failed_placements select value, new.outcome, new.at, new._id, new.parent from json_each(new.hosts) where new.outcome ${WENT_WRONG}`;
const mended =
  'delete from failed_placements where host in (select value from json_each(old.hosts)) and ended = old.outcome and since = old.at and actor = old._id';

/** Each may run again. */
export const PLACEMENTS = [
  'create table if not exists placements (host text not null, since integer not null, actor text not null, job text, primary key (host, since, actor)) without rowid',
  `create trigger if not exists placements_inserted after insert on actors when new.hosts <> '[]' begin ${placed}; end`,
  `create trigger if not exists placements_updated after update of hosts, at on actors when old.hosts <> new.hosts or old.at <> new.at begin ${left}; ${placed}; end`,
  `create trigger if not exists placements_deleted after delete on actors when old.hosts <> '[]' begin ${left}; end`,
  'create table if not exists failed_placements (host text not null, ended text not null, since integer not null, actor text not null, job text, primary key (host, ended, since, actor)) without rowid',
  `create trigger if not exists failed_placements_inserted after insert on actors when new.hosts <> '[]' and new.outcome ${WENT_WRONG} begin ${failed}; end`,
  `create trigger if not exists failed_placements_updated after update of outcome, hosts, at on actors when old.outcome ${WENT_WRONG} or new.outcome ${WENT_WRONG} begin ${mended}; ${failed}; end`,
  `create trigger if not exists failed_placements_deleted after delete on actors when old.outcome ${WENT_WRONG} and old.hosts <> '[]' begin ${mended}; end`,
  // The same for jobs. The condition stands word for word in the questions: SQLite uses a partial
  // index only when it can see that it may.
  `create index if not exists executions_failed on actors (parent, outcome, at, _id) where kind = 'execution' and outcome ${WENT_WRONG}`,
];
