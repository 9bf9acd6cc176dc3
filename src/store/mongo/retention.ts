/**
 * Deletes expired records in small steps, found by index. No transaction spans several documents,
 * so floors and marks are written before a deletion, and output is deleted before its execution. A
 * crash in between leaves a mark too many or an execution without output.
 *
 * An actor stays until all its facts are in the feed.
 */
import type { FilterQuery } from '@mikro-orm/core';
import { OccurrenceEntity, OutputEntity } from '../entities.ts';
import { compareText } from '../order.ts';
import type { ActorStore, CreationPosition, Ledger, Retention } from '../port.ts';
import { floorOf, keptAfterOf } from '../record-ids.ts';
import { collectionsOf, managerOf, type Orm } from './connection.ts';
import { cursorPass } from './cursor-pass.ts';
import { deleteMatching } from './delete-matching.ts';
import { ActorRecord, FactRecord, MetaRecord } from './entities.ts';
import { asked } from './errors.ts';
import { type ActorRow, asDocument } from './rows.ts';
import { upsert } from './upsert.ts';

const ENDED = { kind: 'execution', life: 'done', hasPending: false, quarantined: false } as const;
const PUBLISHED = { unpublished: false } as const;

export function createRetention(orm: Orm): Retention & Pick<ActorStore, 'floor'> & Pick<Ledger, 'keptAfter'> {
  const manager = () => managerOf(orm);
  // One document each: the driver repeats the write, and counts what the first attempt deleted.
  const { actors, meta } = collectionsOf(orm);
  const numberOf = async (_id: string): Promise<number | undefined> => (await asked(() => manager().findOne(MetaRecord, { _id })))?.value;
  const raise = (_id: string, value: number) => upsert(orm, MetaRecord, _id, { $max: { value } });
  const dropMark = (job: string) => asked(() => meta.deleteOne({ _id: keptAfterOf(job) }));
  const hasEntries = async (job: string) => (await asked(() => manager().findOne(OccurrenceEntity, { job }, { fields: ['_id'] }))) !== null;

  /** Actors in order of creation: those that any of the spans and all of `filter` match. */
  const inOrder = (filter: object, spans: object[], limit: number): Promise<ActorRow[]> => {
    if (spans.length === 0 || limit <= 0) return Promise.resolve([]);
    const where = { $or: spans.map(span => ({ ...filter, ...span })) } as FilterQuery<ActorRow>;
    return asked(() => manager().find(ActorRecord, where, { orderBy: { at: 'asc', address: 'asc' }, limit }));
  };
  /** The actor with `count` newer ones behind it. */
  const behindNewest = async (filter: object, count: number): Promise<CreationPosition | undefined> => {
    const orderBy = { at: 'desc', address: 'desc' } as const;
    const some = { orderBy, offset: count, limit: 1, fields: ['at'] } as const;
    const [row] = await asked(() => manager().find(ActorRecord, filter as FilterQuery<ActorRow>, some));
    return row && positionOf(row);
  };

  /** Resolves with how many pieces of output it deleted. */
  const dropOutput = async (execution: string, room: number): Promise<number> => {
    if (room <= 0) return 0;
    const some = await asked(() => manager().find(OutputEntity, { execution }, { fields: ['_id'], limit: room }));
    if (some.length > 0) await deleteMatching(orm, OutputEntity, { _id: { $in: some.map(({ _id }) => _id) } });
    return some.length;
  };

  const dropOccurrences = async (job: string, { before, keep }: { before: number; keep?: number }, room: number): Promise<number> => {
    const oldest = await asked(() => manager().find(OccurrenceEntity, { job }, { orderBy: { from: 'asc' }, limit: room }));
    const firstBeyond = { orderBy: { from: 'desc' }, offset: keep ?? 0, limit: 1 } as const;
    const overLimit = keep === undefined ? [] : await asked(() => manager().find(OccurrenceEntity, { job }, firstBeyond));
    const beyond = overLimit[0]?.from ?? Number.NEGATIVE_INFINITY;
    const stays = oldest.findIndex(({ from, to }) => to >= before && from > beyond);
    const leaving = stays < 0 ? oldest : oldest.slice(0, stays);
    const last = leaving.at(-1);
    if (!last) return 0;
    await raise(keptAfterOf(job), last.to);
    await deleteMatching(orm, OccurrenceEntity, { job, from: { $lte: last.from } });
    const isKnown =
      (await hasEntries(job)) || (await asked(() => manager().findOne(ActorRecord, { _id: `job/${job}` }, { fields: ['_id'] })));
    if (!isKnown) await dropMark(job);
    return leaving.length;
  };

  return {
    async floor(partition) {
      return (await numberOf(floorOf(partition))) ?? 0;
    },

    async keptAfter(job) {
      return (await numberOf(keptAfterOf(job))) ?? null;
    },

    async endedExecutions({ until, after, job, limit }) {
      const filter = { ...ENDED, ...(job !== undefined && { parent: job }) };
      return (await inOrder(filter, between(after, until), limit)).map(asDocument);
    },

    async countExecutions({ after, limit }) {
      const rows = await inOrder({ kind: 'execution' }, after ? behind(after) : [{}], limit);
      const last = rows.at(-1);
      return { count: rows.length, ...(last && { last: positionOf(last) }) };
    },

    async jobsOverLimit({ keep, after = '', limit }) {
      const jobs: { job: string; until: CreationPosition }[] = [];
      let at = after;
      for (let looked = 0; looked < limit; looked++) {
        const next = { kind: 'execution', parent: { $gt: at } };
        const some = { orderBy: { parent: 'asc' }, limit: 1, fields: ['parent'] } as const;
        const [row] = await asked(() => manager().find(ActorRecord, next, some));
        if (!row || typeof row.parent !== 'string') return { jobs, next: null };
        at = row.parent;
        const until = await behindNewest({ kind: 'execution', parent: at }, keep);
        if (until) jobs.push({ job: at, until });
      }
      return { jobs, next: at };
    },

    async deleteExecutions({ addresses, limit }) {
      const gone: string[] = [];
      let deleted = 0;
      for (const address of addresses) {
        if (deleted >= limit) break;
        const may = { _id: address, ...ENDED, ...PUBLISHED };
        if (!(await asked(() => manager().findOne(ActorRecord, may, { fields: ['_id'] })))) continue;
        deleted += await dropOutput(address.slice('execution/'.length), limit - deleted);
        if (deleted >= limit) break;
        const { deletedCount } = await asked(() => actors.deleteOne(may));
        deleted += deletedCount;
        if (deletedCount > 0) gone.push(address);
      }
      return { gone, deleted };
    },

    deleteOutput({ before, after = '', limit }) {
      const nextName = async (name: string) => {
        const some = { orderBy: { execution: 'asc' }, limit: 1, fields: ['execution'] } as const;
        const [next] = await asked(() => manager().find(OutputEntity, { execution: { $gt: name } }, some));
        return next?.execution;
      };
      return cursorPass(nextName, after, limit, async (execution, room) => {
        const row = await asked(() => manager().findOne(ActorRecord, { _id: `execution/${execution}` }, { fields: ['life', 'at', 'rev'] }));
        if (row && row.rev > 0 && (row.life !== 'done' || row.at >= before)) return 0;
        const younger = { execution, at: { $gte: before } };
        if (await asked(() => manager().findOne(OutputEntity, younger, { fields: ['_id'] }))) return 0;
        return dropOutput(execution, room);
      });
    },

    async deleteFacts({ before, keep, limit }) {
      const newestFirst = { orderBy: { _id: 'desc' }, limit: 1, fields: ['_id'] } as const;
      const newest = (await asked(() => manager().find(FactRecord, {}, newestFirst)))[0]?._id;
      if (newest === undefined || limit <= 0) return 0;
      const oldestFirst = { orderBy: { _id: 'asc' }, limit, fields: ['at'] } as const;
      const oldest = await asked(() => manager().find(FactRecord, { _id: { $lt: newest } }, oldestFirst));
      const through = Number(newest) - Math.max(1, keep);
      const stays = oldest.findIndex(({ _id, at }) => at >= before && Number(_id) > through);
      const leaving = stays < 0 ? oldest : oldest.slice(0, stays);
      const last = leaving.at(-1);
      if (last) await deleteMatching(orm, FactRecord, { _id: { $lte: last._id } });
      return leaving.length;
    },

    deleteOccurrences({ after = '', limit, ...which }) {
      const nextJob = async (name: string) => {
        const some = { orderBy: { job: 'asc' }, limit: 1, fields: ['job'] } as const;
        const [next] = await asked(() => manager().find(OccurrenceEntity, { job: { $gt: name } }, some));
        return next?.job;
      };
      return cursorPass(nextJob, after, limit, (job, room) => dropOccurrences(job, which, room));
    },

    async deleteTombstones({ before, keep, limit }) {
      const beyond = await behindNewest({ life: 'tombstone' }, keep);
      const filter = { life: 'tombstone' as const, hasPending: false, ...PUBLISHED };
      const oldest = await inOrder(filter, [{}], limit);
      const leaving = oldest.filter(row => row.at < before || (beyond && compareCreation(positionOf(row), beyond) <= 0));
      let count = 0;
      for (const { _id, rev, partition } of leaving) {
        await raise(floorOf(partition), rev);
        count += (await asked(() => actors.deleteOne({ _id, rev }))).deletedCount;
        const job = _id.slice('job/'.length);
        if (_id.startsWith('job/') && !(await hasEntries(job))) await dropMark(job);
      }
      return count;
    },
  };
}

/** Spans of (at, address) strictly after a position. */
const behind = ({ at, address }: CreationPosition): object[] => [{ at: { $gt: at } }, { at, address: { $gt: address } }];

/** The same up to and including another position. */
function between(after: CreationPosition | undefined, until: CreationPosition): object[] {
  if (!after) return [{ at: { $lt: until.at } }, { at: until.at, address: { $lte: until.address } }];
  if (after.at > until.at) return [];
  if (after.at === until.at) return [{ at: until.at, address: { $gt: after.address, $lte: until.address } }];
  return [
    { at: after.at, address: { $gt: after.address } },
    { at: { $gt: after.at, $lt: until.at } },
    { at: until.at, address: { $lte: until.address } },
  ];
}

const positionOf = ({ at, _id }: Pick<ActorRow, 'at' | '_id'>): CreationPosition => ({ at, address: _id });
const compareCreation = (a: CreationPosition, b: CreationPosition): number => a.at - b.at || compareText(a.address, b.address);
