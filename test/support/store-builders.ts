/** Valid records of the store, each with the changes of the test. */

import type { IndexFields } from '../../actors/kind.ts';
import type { TakenChunk } from '../../src/services/output/index.ts';
import type { ActorDocument, Credential, HistoryFact, Occurrence, OutputChunk, Write } from '../../src/store/port.ts';
import type { PostedLog } from '../../src/store/posted-log-port.ts';

type DocumentChanges = Partial<Omit<ActorDocument, 'index'>> & { index?: Partial<IndexFields> };

/** A job at its first commit, without timers or pending effects. The kind follows the address. */
export function aDocument({ index, ...changes }: DocumentChanges = {}): ActorDocument {
  const address = changes.address ?? 'job/nightly';
  return {
    address,
    kind: address.slice(0, address.indexOf('/')),
    partition: 7,
    rev: 1,
    incarnation: 1,
    version: 1,
    life: 'live',
    quarantined: false,
    writeId: 'w1',
    state: '{"value":"idle"}',
    pendingEffects: '[]',
    nextDue: null,
    ...changes,
    index: {
      parent: null,
      pool: null,
      alias: null,
      group: null,
      status: 'idle',
      outcome: null,
      hosts: [],
      at: 1_700_000_000_000,
      endedAt: null,
      ...index,
    },
  };
}

/** A write of `aDocument`, with no facts unless they are given. */
export function aWrite({ facts = [], ...changes }: DocumentChanges & { facts?: HistoryFact[] } = {}): Write {
  return { document: aDocument(changes), facts };
}

export function aFact(changes: Partial<HistoryFact> = {}): HistoryFact {
  return {
    address: 'job/nightly',
    rev: 1,
    position: 0,
    at: 1_700_000_000_000,
    type: 'job.triggered',
    data: { execution: 'e1' },
    ...changes,
  };
}

/** One due time at `from`, unless `to` makes it a range. */
export function anOccurrence(changes: Partial<Occurrence> = {}): Occurrence {
  const from = changes.from ?? 1_000;
  return { job: 'nightly', from, to: from, count: 1, verdict: 'ran', execution: null, reason: null, decidedAt: from + 5, ...changes };
}

export function aChunk(changes: Partial<OutputChunk> = {}): OutputChunk {
  const text = changes.text ?? 'hello\n';
  const bytes = Buffer.byteLength(text);
  return { execution: 'e1', item: 0, attempt: 1, seq: 1, at: 1_700_000_000_000, stream: 'stdout', text, bytes, leftOut: 0, ...changes };
}

/** Pieces as their host sends them, each with its sequence number. Repeats get the same number. */
export function placing(): (chunks: OutputChunk[]) => TakenChunk[] {
  const ends = new Map<string, number>();
  const starts = new Map<string, number>();
  return chunks =>
    chunks.map(({ leftOut, ...chunk }) => {
      const stream = [chunk.execution, chunk.item, chunk.attempt, chunk.stream].join();
      const known = starts.get(`${stream},${chunk.seq}`);
      const start = known ?? (ends.get(stream) ?? 0) + leftOut;
      if (known === undefined) ends.set(stream, start + chunk.bytes);
      starts.set(`${stream},${chunk.seq}`, start);
      return { ...chunk, start };
    });
}

export function aCredential(changes: Partial<Credential> = {}): Credential {
  return { kind: 'joinToken', id: 'hash-1', data: { pool: 'default' }, expiresAt: null, uses: null, ...changes };
}

/** Of a run that went well and wrote a line. */
export function aPostedLog(changes: Partial<PostedLog> = {}): PostedLog {
  const { stdout = 'hello\n', stderr = '' } = changes;
  return {
    job: '399d4b159c65c9b34d2a3c41',
    id: 'm1',
    msgid: changes.id ?? 'm1',
    at: 1_700_000_000_000,
    receivedAt: 1_700_000_000_100,
    stat: 0,
    startedAt: 1_699_999_998_000,
    durationMs: 2_000,
    location: 'myCluster',
    group: '',
    event: '',
    command: './run.sh',
    workdir: '/var/lib/cloudtask/job/1',
    address: '192.168.2.80',
    error: '',
    stdout,
    stderr,
    stdoutBytes: Buffer.byteLength(stdout),
    stderrBytes: Buffer.byteLength(stderr),
    ...changes,
  };
}
