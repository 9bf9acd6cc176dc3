/**
 * Which execution was placed on which host: SQLite has no index over the items of a list, so they lie in a table of their own beside `hosts`.
 * Triggers keep it, whoever writes or removes an actor; a turn that places nothing does not touch it.
 */

const placed = 'insert or ignore into placements select value, new.at, new._id from json_each(new.hosts)';
const gone = 'delete from placements where host in (select value from json_each(old.hosts)) and since = old.at and actor = old._id';

/** Each may run again. `since` is when the execution was created: hosts are asked for their newest. */
export const PLACEMENTS = [
  'create table if not exists placements (host text not null, since integer not null, actor text not null, primary key (host, since, actor)) without rowid',
  `create trigger if not exists placements_born after insert on actors when new.hosts <> '[]' begin ${placed}; end`,
  `create trigger if not exists placements_moved after update of hosts, at on actors when old.hosts <> new.hosts or old.at <> new.at begin ${gone}; ${placed}; end`,
  `create trigger if not exists placements_gone after delete on actors when old.hosts <> '[]' begin ${gone}; end`,
];
