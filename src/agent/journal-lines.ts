/** The journal as text: one JSON value per line, the first has the format. */
import { z } from 'zod';
import { assertJournalFormat, type JournalFormat } from '../lib/journal-head.ts';
import { Fence, ProcessSpec, Report, Run, RunVerdict } from '../protocol/agent.ts';
import { blankRecord, type RunRecord } from './runs/records.ts';

/** Until the first release version 1 may change in place: then only the fingerprint changes. */
export const AGENT_JOURNAL: JournalFormat = { name: 'journal', version: 1, fingerprint: 'dd967f6dc647' };

const Record = z.object({
  run: Run,
  fence: Fence,
  spec: ProcessSpec.nullable(),
  bootId: z.string(),
  dataDirId: z.string().nullable(),
  preparations: z.number(),
  started: z.boolean(),
  note: z.string().nullable(),
  directory: z.string().nullable(),
  stop: z.object({ as: z.enum(['cancelled', 'superseded', 'withdrawn', 'disconnected']), reason: z.string() }).nullable(),
  at: z.number(),
  startedAt: z.number().nullable(),
  endedAt: z.number().nullable(),
  unreported: z.array(Report),
  verdict: RunVerdict.nullable(),
  outputAcknowledged: z.number(),
  closed: z.boolean(),
});

const Line = z.union([
  z.object({ run: z.string(), set: Record.partial() }),
  z.object({ epoch: z.tuple([z.number(), z.number()]) }),
  z.object({ joined: z.literal(true) }),
  z.object({ centerKey: z.string() }),
  z.object({ nextId: z.number() }),
  z.object({ journal: z.number(), fingerprint: z.string() }),
]);

export interface JournalState {
  records: Map<string, RunRecord>;
  epochs: Map<number, number>;
  joined: boolean;
  centerKey: string | undefined;
  nextId: number;
}

/** Takes only lines that `readJournal` reads: any other would prevent the next agent's start. */
export const writeLine = (line: z.input<typeof Line>): string => `${JSON.stringify(line)}\n`;

/** Ignores a last line without a line break: a crash cut it off, before any acknowledgement. */
export function readJournal(text: string | undefined): JournalState {
  assertJournalFormat(AGENT_JOURNAL, text, "the agent's journal");
  const state: JournalState = { records: new Map(), epochs: new Map(), joined: false, centerKey: undefined, nextId: 1 };
  const lines = (text ?? '').split('\n').slice(0, -1);
  for (const [index, written] of lines.entries()) applyLine(state, parseLine(written, index + 1));
  return state;
}

function parseLine(written: string, number: number): z.infer<typeof Line> {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch (cause) {
    throw new Error(
      `line ${number} of the agent's journal is broken, so the runs of this host are unknown; restore the file, or start with an empty data directory`,
      { cause },
    );
  }
  const line = Line.safeParse(value);
  if (!line.success)
    throw new Error(`line ${number} of the agent's journal has fields that this agent does not know; start the revision that wrote it`, {
      cause: line.error,
    });
  return line.data;
}

function applyLine(state: JournalState, line: z.infer<typeof Line>): void {
  if ('run' in line) {
    const set = withoutAbsent(line.set);
    for (const report of set.unreported ?? []) state.nextId = Math.max(state.nextId, report.id + 1);
    const known = state.records.get(line.run);
    if (known) Object.assign(known, set);
    else state.records.set(line.run, Record.parse({ ...blankRecord, ...set }));
  } else if ('epoch' in line) state.epochs.set(line.epoch[0], line.epoch[1]);
  else if ('joined' in line) state.joined = true;
  else if ('centerKey' in line) state.centerKey = line.centerKey;
  else if ('nextId' in line) state.nextId = Math.max(state.nextId, line.nextId);
}

/** `partial()` allows the value undefined, which no line has. */
function withoutAbsent(set: z.infer<ReturnType<typeof Record.partial>>): Partial<RunRecord> {
  return Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined));
}
