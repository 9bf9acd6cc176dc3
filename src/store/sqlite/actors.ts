/** The hot path: actors by compare-and-set, many in one transaction. */

import { type ActorStore, ALL_PARTITIONS, type CommitResult, type HistoryFact, type PublishedFact, type Write } from '../port.ts';
import { refuseRepeats } from '../refuse-repeats.ts';
import type { Sync } from '../sync.ts';
import { ACTOR_COLUMNS, bindings, documentOfRow, type StoredActor } from './actor-rows.ts';
import { booleanColumn, type ReadConnection, rows, type WriteConnection } from './connections.ts';
import { raiseFeed } from './facts.ts';

interface Parts extends WriteConnection {
  insertFact: (fact: HistoryFact) => PublishedFact;
}

export function actorWrites({ writer, transact, insertFact }: Parts): Sync<Pick<ActorStore, 'commit' | 'claim' | 'acknowledge'>> {
  const birth = writer.prepare(
    `insert into actors (partition, incarnation, version, life, quarantined, write_id, state, pending_effects, next_due, armed, has_pending,
       status, outcome, hosts, ended_at, kind, parent, pool, alias, "group", listed, at, _id, rev)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? + 1) on conflict (_id) do nothing`,
  );
  const TURN = `update actors set rev = rev + 1, partition = ?, incarnation = ?, version = ?, life = ?, quarantined = ?, write_id = ?,
    state = ?, pending_effects = ?, next_due = ?, armed = ?, has_pending = ?`;
  const PLACE = 'kind = ? and parent is ? and pool is ? and alias is ? and "group" is ? and listed = ? and at = ?';
  // Most turns change no column that lists filter by. SQLite rewrites the index of each named
  // column, even for an equal value, so this statement does not name them.
  const plainTurn = writer.prepare(
    `${TURN} where status = ? and outcome is ? and hosts = ? and ended_at is ? and ${PLACE} and _id = ? and rev = ?`,
  );
  // A running or ended execution keeps job, pool and creation time, and with them the indexes over
  // those columns alone.
  const advancingTurn = writer.prepare(`${TURN}, status = ?, outcome = ?, hosts = ?, ended_at = ? where ${PLACE} and _id = ? and rev = ?`);
  const movingTurn = writer.prepare(
    `${TURN}, status = ?, outcome = ?, hosts = ?, ended_at = ?, kind = ?, parent = ?, pool = ?, alias = ?, "group" = ?, listed = ?, at = ?
     where _id = ? and rev = ?`,
  );

  /** Whether the document replaced its predecessor. */
  const write = ({ document, follows = document.rev - 1 }: Write): boolean => {
    const values = bindings(document);
    if (follows === 0) return birth.run(...values).changes === 1;
    return [plainTurn, advancingTurn, movingTurn].some(turn => turn.run(...values).changes === 1);
  };

  const claimed = writer.prepare(
    `insert into partitions (_id, owner, epoch) values (?, ?, 1) on conflict (_id) do update set owner = excluded.owner, epoch = epoch + 1
     returning epoch`,
  );
  const raised = writer.prepare('update partitions set epoch = epoch + ? where _id = ? and owner = ? returning epoch');
  const acknowledged = writer.prepare('update actors set pending_effects = ?, has_pending = ? where _id = ? and rev = ?');

  return {
    commit(writes) {
      refuseRepeats(writes);
      if (writes.length === 0) return [];
      return transact(() =>
        writes.map((one): CommitResult => (write(one) ? { committed: true, facts: one.facts.map(insertFact) } : { committed: false })),
      );
    },

    claim(owner, { from, to } = ALL_PARTITIONS, raiseBy) {
      const range = Array.from({ length: to - from + 1 }, (_, index) => from + index);
      if (raiseBy === undefined) return transact(() => range.map(partition => Number(claimed.get(partition, owner)?.epoch)));
      return transact(() => {
        const epochs = range.map(partition => raised.get(raiseBy, partition, owner)?.epoch);
        const other = range[epochs.indexOf(undefined)];
        if (other !== undefined) throw new Error(`partition ${other} is owned by another center`);
        if (from === ALL_PARTITIONS.from) raiseFeed(writer);
        return epochs.map(Number);
      });
    },

    acknowledge(entries) {
      if (entries.length === 0) return;
      transact(() => {
        for (const { address, rev, pendingEffects } of entries)
          acknowledged.run(pendingEffects, booleanColumn(pendingEffects !== '[]'), address, rev);
      });
    },
  };
}

export function actorReads({ reader, read }: ReadConnection): Pick<ActorStore, 'load' | 'due' | 'pending'> {
  const one = reader.prepare(`select ${ACTOR_COLUMNS} from actors where _id = ?`);
  // Repeats the conditions `armed = true` and `has_pending = true` of the indexes literally: SQLite
  // uses a partial index only for the same condition.
  const due = reader.prepare(
    `select _id as address, next_due as nextDue from actors
     where armed = true and next_due <= ? and (next_due, _id) > (?, ?) order by next_due, _id limit ?`,
  );
  const pending = reader.prepare(`select _id as address from actors where has_pending = true and _id > ? order by _id limit ?`);

  return {
    async load(address) {
      const [row] = read(() => rows<StoredActor>(one, address));
      return row && documentOfRow(row);
    },

    async due({ until, limit, after }) {
      const { nextDue, address } = after ?? { nextDue: Number.MIN_SAFE_INTEGER, address: '' };
      return read(() => rows<{ address: string; nextDue: number }>(due, until, nextDue, address, limit)).map(row => ({ ...row }));
    },

    async pending({ limit, after = '' }) {
      return read(() => rows<{ address: string }>(pending, after, limit)).map(row => row.address);
    },
  };
}
