/** Retention of the store in memory. Each step reads everything, because there is little. */
import { compareText } from '../order.ts';
import type { ActorDocument, CreationPosition, Retention } from '../port.ts';
import { syncCursorPass } from '../sync-cursor-pass.ts';
import type { KeptActors } from './actors.ts';
import type { KeptFacts } from './facts.ts';
import type { KeptLedger } from './ledger.ts';
import { namesAfter } from './names-after.ts';
import type { KeptOutput } from './output.ts';

export function createMemoryRetention(parts: { actors: KeptActors; facts: KeptFacts; ledger: KeptLedger; output: KeptOutput }): Retention {
  const { actors, facts, ledger, output } = parts;
  const { documents } = actors;
  const executions = () => [...documents.values()].filter(({ kind }) => kind === 'execution').sort(inOrder);
  const mayLeave = (document: ActorDocument | undefined) =>
    document?.kind === 'execution' && document.life === 'done' && document.pendingEffects === '[]' && !document.quarantined;

  const dropOutput = (execution: string, room: number): number => {
    const chunks = output.get(execution);
    const leaving = [...(chunks?.keys() ?? [])].slice(0, room);
    for (const key of leaving) chunks?.delete(key);
    if (chunks?.size === 0) output.delete(execution);
    return leaving.length;
  };

  return {
    async endedExecutions({ until, after, job, limit }) {
      return executions()
        .filter(document => mayLeave(document) && (job === undefined || document.index.parent === job))
        .filter(
          document => compareCreation(positionOf(document), until) <= 0 && (!after || compareCreation(positionOf(document), after) > 0),
        )
        .slice(0, limit)
        .map(document => structuredClone(document));
    },

    async countExecutions({ after, limit }) {
      const positions = executions()
        .map(positionOf)
        .filter(position => !after || compareCreation(position, after) > 0)
        .slice(0, limit);
      const last = positions.at(-1);
      return { count: positions.length, ...(last && { last }) };
    },

    async jobsOverLimit({ keep, after = '', limit }) {
      const byJob = new Map<string, CreationPosition[]>();
      for (const document of executions()) {
        const job = document.index.parent;
        if (job === null || compareText(job, after) <= 0) continue;
        byJob.set(job, [...(byJob.get(job) ?? []), positionOf(document)]);
      }
      const names = [...byJob.keys()].sort(compareText);
      const jobs = names.slice(0, limit).flatMap(job => {
        const until = byJob.get(job)?.at(-1 - keep);
        return until ? [{ job, until }] : [];
      });
      return { jobs, next: names.length >= limit ? (names[limit - 1] ?? null) : null };
    },

    async deleteExecutions({ addresses, limit }) {
      const gone: string[] = [];
      let deleted = 0;
      for (const address of addresses) {
        if (deleted >= limit) break;
        if (!mayLeave(documents.get(address))) continue;
        deleted += dropOutput(address.slice('execution/'.length), limit - deleted);
        if (deleted >= limit) break;
        actors.drop(address);
        deleted += 1;
        gone.push(address);
      }
      return { gone, deleted };
    },

    async deleteOutput({ before, after = '', limit }) {
      return syncCursorPass(namesAfter(output.keys(), after), after, limit, (execution, room) => {
        const document = documents.get(`execution/${execution}`);
        if (document && (document.life !== 'done' || document.index.at >= before)) return 0;
        if ([...(output.get(execution)?.values() ?? [])].some(({ at }) => at >= before)) return 0;
        return dropOutput(execution, room);
      });
    },

    async deleteFacts({ before, keep, limit }) {
      const most = facts.feed.length - 1;
      const beyond = facts.feed.length - Math.max(1, keep);
      let count = 0;
      while (count < Math.min(limit, most) && ((facts.feed[count]?.at ?? before) < before || count < beyond)) count++;
      facts.dropOldest(count);
      return count;
    },

    async deleteOccurrences({ before, keep, after = '', limit }) {
      return syncCursorPass(namesAfter(ledger.jobs.keys(), after), after, limit, (job, room) => {
        const entries = ledger.jobs.get(job);
        const inTime = [...(entries?.values() ?? [])].sort((a, b) => a.from - b.from);
        const beyond = keep === undefined ? 0 : inTime.length - keep;
        let count = 0;
        while (count < Math.min(room, inTime.length) && ((inTime[count]?.to ?? before) < before || count < beyond)) count++;
        const last = inTime[count - 1];
        if (!last) return 0;
        for (const { from } of inTime.slice(0, count)) entries?.delete(from);
        if (entries?.size === 0) ledger.jobs.delete(job);
        if (ledger.jobs.has(job) || documents.has(`job/${job}`)) ledger.marks.set(job, Math.max(last.to, ledger.marks.get(job) ?? last.to));
        else ledger.marks.delete(job);
        return count;
      });
    },

    async deleteTombstones({ before, keep, limit }) {
      const tombstones = [...documents.values()].filter(({ life }) => life === 'tombstone').sort(inOrder);
      const beyond = new Set(tombstones.slice(0, Math.max(0, tombstones.length - keep)));
      const leaving = tombstones
        .filter(each => each.pendingEffects === '[]' && (each.index.at < before || beyond.has(each)))
        .slice(0, limit);
      for (const { address, partition, rev } of leaving) {
        actors.floors.set(partition, Math.max(rev, actors.floors.get(partition) ?? 0));
        actors.drop(address);
        const job = address.slice('job/'.length);
        if (address.startsWith('job/') && !ledger.jobs.has(job)) ledger.marks.delete(job);
      }
      return leaving.length;
    },
  };
}

const positionOf = ({ index, address }: ActorDocument): CreationPosition => ({ at: index.at, address });
const compareCreation = (a: CreationPosition, b: CreationPosition): number => a.at - b.at || compareText(a.address, b.address);
const inOrder = (a: ActorDocument, b: ActorDocument): number => compareCreation(positionOf(a), positionOf(b));
