/**
 * What leaves, found by index and removed in small steps. There is no transaction over several
 * documents, so what must outlive the removed is written first: floors and marks before, output
 * before its execution. A crash in between leaves a mark too many or an execution without output.
 *
 * An actor whose facts may not be in the feed yet stays until they are.
 */
import { compareText } from '../order.ts';
import type { ActorStore, CreationPlace, Ledger, Retention, Step } from '../port.ts';
import { floorOf, keptAfterOf } from '../record-ids.ts';
import type { Collections } from './connection.ts';
import { asked } from './errors.ts';
import { type ActorRow, asDocument } from './rows.ts';

const ENDED = { kind: 'execution', life: 'done', indebted: false, quarantined: false } as const;
const TOLD = { untold: false } as const;

export function createRetention(collections: Collections): Retention & Pick<ActorStore, 'floor'> & Pick<Ledger, 'keptAfter'> {
  const { actors, facts, occurrences, output, meta } = collections;

  const numberOf = async (_id: string): Promise<number | undefined> => (await asked(() => meta.findOne({ _id })))?.value;
  const raise = (_id: string, value: number) => asked(() => meta.updateOne({ _id }, { $max: { value } }, { upsert: true }));
  const dropMark = (job: string) => asked(() => meta.deleteOne({ _id: keptAfterOf(job) }));
  const hasEntries = async (job: string) => (await asked(() => occurrences.findOne({ job }, { projection: { _id: 1 } }))) !== null;

  /** Actors by place, oldest first: those that any of the spans and all of `filter` take. */
  const inOrder = (filter: object, spans: object[], limit: number): Promise<ActorRow[]> => {
    if (spans.length === 0 || limit <= 0) return Promise.resolve([]);
    return asked(() =>
      actors
        .find({ $or: spans.map(span => ({ ...filter, ...span })) })
        .sort({ at: 1, address: 1 })
        .limit(limit)
        .toArray(),
    );
  };
  /** The actor with `count` newer ones behind it. */
  const behindNewest = async (filter: object, count: number): Promise<CreationPlace | undefined> => {
    const [row] = await asked(() =>
      actors
        .find(filter, { projection: { at: 1 } })
        .sort({ at: -1, address: -1 })
        .skip(count)
        .limit(1)
        .toArray(),
    );
    return row && placeOf(row);
  };

  /** How many pieces of its output went. */
  const dropOutput = async (execution: string, room: number): Promise<number> => {
    if (room <= 0) return 0;
    const some = await asked(() =>
      output
        .find({ execution }, { projection: { _id: 1 } })
        .limit(room)
        .toArray(),
    );
    if (some.length > 0) await asked(() => output.deleteMany({ _id: { $in: some.map(({ _id }) => _id) } }));
    return some.length;
  };

  const dropOccurrences = async (job: string, { before, keep }: { before: number; keep?: number }, room: number): Promise<number> => {
    const oldest = await asked(() => occurrences.find({ job }).sort({ from: 1 }).limit(room).toArray());
    const crowd = keep === undefined ? [] : await asked(() => occurrences.find({ job }).sort({ from: -1 }).skip(keep).limit(1).toArray());
    const beyond = crowd[0]?.from ?? Number.NEGATIVE_INFINITY;
    const stays = oldest.findIndex(({ from, to }) => to >= before && from > beyond);
    const leaving = stays < 0 ? oldest : oldest.slice(0, stays);
    const last = leaving.at(-1);
    if (!last) return 0;
    await raise(keptAfterOf(job), last.to);
    await asked(() => occurrences.deleteMany({ job, from: { $lte: last.from } }));
    const isKnown = (await hasEntries(job)) || (await asked(() => actors.findOne({ _id: `job/${job}` }, { projection: { _id: 1 } })));
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
      return { count: rows.length, ...(last && { last: placeOf(last) }) };
    },

    async crowdedJobs({ keep, after = '', limit }) {
      const jobs: { job: string; until: CreationPlace }[] = [];
      let at = after;
      for (let looked = 0; looked < limit; looked++) {
        const next = { kind: 'execution', parent: { $gt: at } };
        const [row] = await asked(() =>
          actors
            .find(next, { projection: { parent: 1 } })
            .sort({ parent: 1 })
            .limit(1)
            .toArray(),
        );
        if (!row || row.parent === null) return { jobs, next: null };
        at = row.parent;
        const until = await behindNewest({ kind: 'execution', parent: at }, keep);
        if (until) jobs.push({ job: at, until });
      }
      return { jobs, next: at };
    },

    async forgetExecutions({ addresses, limit }) {
      const gone: string[] = [];
      let forgotten = 0;
      for (const address of addresses) {
        if (forgotten >= limit) break;
        const may = { _id: address, ...ENDED, ...TOLD };
        if (!(await asked(() => actors.findOne(may, { projection: { _id: 1 } })))) continue;
        forgotten += await dropOutput(address.slice('execution/'.length), limit - forgotten);
        if (forgotten >= limit) break;
        const { deletedCount } = await asked(() => actors.deleteOne(may));
        forgotten += deletedCount;
        if (deletedCount > 0) gone.push(address);
      }
      return { gone, forgotten };
    },

    forgetOutput({ before, after = '', limit }) {
      const nextName = async (name: string) => {
        const following = { execution: { $gt: name } };
        return (
          await asked(() =>
            output
              .find(following, { projection: { execution: 1 } })
              .sort({ execution: 1 })
              .limit(1)
              .toArray(),
          )
        )[0]?.execution;
      };
      return tour(nextName, after, limit, async (execution, room) => {
        const row = await asked(() => actors.findOne({ _id: `execution/${execution}` }, { projection: { life: 1, at: 1, rev: 1 } }));
        if (row && row.rev > 0 && (row.life !== 'done' || row.at >= before)) return 0;
        if (await asked(() => output.findOne({ execution, at: { $gte: before } }, { projection: { _id: 1 } }))) return 0;
        return dropOutput(execution, room);
      });
    },

    async forgetFacts({ before, keep, limit }) {
      const newest = (
        await asked(() =>
          facts
            .find({}, { projection: { _id: 1 } })
            .sort({ _id: -1 })
            .limit(1)
            .toArray(),
        )
      )[0]?._id;
      if (newest === undefined || limit <= 0) return 0;
      const oldest = await asked(() =>
        facts
          .find({ _id: { $lt: newest } }, { projection: { at: 1 } })
          .sort({ _id: 1 })
          .limit(limit)
          .toArray(),
      );
      const through = Number(newest) - Math.max(1, keep);
      const stays = oldest.findIndex(({ _id, at }) => at >= before && Number(_id) > through);
      const leaving = stays < 0 ? oldest : oldest.slice(0, stays);
      const last = leaving.at(-1);
      if (last) await asked(() => facts.deleteMany({ _id: { $lte: last._id } }));
      return leaving.length;
    },

    forgetOccurrences({ after = '', limit, ...which }) {
      const nextJob = async (name: string) => {
        const following = { job: { $gt: name } };
        return (
          await asked(() =>
            occurrences
              .find(following, { projection: { job: 1 } })
              .sort({ job: 1 })
              .limit(1)
              .toArray(),
          )
        )[0]?.job;
      };
      return tour(nextJob, after, limit, (job, room) => dropOccurrences(job, which, room));
    },

    async forgetTombstones({ before, keep, limit }) {
      const beyond = await behindNewest({ life: 'tombstone' }, keep);
      const filter = { life: 'tombstone' as const, indebted: false, ...TOLD };
      const oldest = await inOrder(filter, [{}], limit);
      const leaving = oldest.filter(row => row.at < before || (beyond && inPlace(placeOf(row), beyond) <= 0));
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

/**
 * Name after name goes through `work`, until `limit` names and records are done. A name whose turn
 * used up the room comes again.
 */
async function tour(
  next: (behind: string) => Promise<string | undefined>,
  after: string,
  limit: number,
  work: (name: string, room: number) => Promise<number>,
): Promise<Step> {
  let forgotten = 0;
  let behind = after;
  for (let looked = 1; ; looked++) {
    const name = await next(behind);
    if (name === undefined) return { forgotten, next: null };
    if (looked + forgotten > limit) return { forgotten, next: behind };
    const room = limit - forgotten;
    const removed = await work(name, room);
    forgotten += removed;
    if (removed === room) return { forgotten, next: behind };
    behind = name;
  }
}

/** Spans of (at, address) strictly behind a place. */
const behind = ({ at, address }: CreationPlace): object[] => [{ at: { $gt: at } }, { at, address: { $gt: address } }];

/** The same up to and with another place. */
function between(after: CreationPlace | undefined, until: CreationPlace): object[] {
  if (!after) return [{ at: { $lt: until.at } }, { at: until.at, address: { $lte: until.address } }];
  if (after.at > until.at) return [];
  if (after.at === until.at) return [{ at: until.at, address: { $gt: after.address, $lte: until.address } }];
  return [
    { at: after.at, address: { $gt: after.address } },
    { at: { $gt: after.at, $lt: until.at } },
    { at: until.at, address: { $lte: until.address } },
  ];
}

const placeOf = ({ at, _id }: Pick<ActorRow, 'at' | '_id'>): CreationPlace => ({ at, address: _id });
const inPlace = (a: CreationPlace, b: CreationPlace): number => a.at - b.at || compareText(a.address, b.address);
