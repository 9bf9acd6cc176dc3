/**
 * What a notification says, as lines without markup. The same delivery always gives the same
 * letter, so that a repeat says the same.
 */
import { stripVTControlCharacters } from 'node:util';
import type { NoticeEntry, NoticeKind, NoticeMessage, RunNotice } from '../../../actors/notice/types.ts';
import { visible } from '../../lib/visible.ts';

export interface Letter {
  subject: string;
  /** What the job says first; empty: nothing. */
  content: string;
  facts: [name: string, value: string][];
  /** The others that the delivery stands for; empty: it stands for one. */
  others: { caption: string; lines: string[] } | null;
  output: { caption: string; text: string } | null;
}

/** Of one execution, or of the hosts of a delivery. */
const SUBJECTS: Record<NoticeKind, string> = {
  succeed: 'Job Succeed',
  failed: 'Job Failed',
  hostJoined: 'Host Joined',
  hostLost: 'Host Lost',
  hostReturned: 'Host Returned',
};

export function letterOf(message: NoticeMessage): Letter {
  const { about, kind, subject, content, count, last, output } = message;
  return {
    subject: subject || (about.type === 'job' ? SUBJECTS[kind] : `${SUBJECTS[kind]}: ${nameOf(last)}`),
    content,
    facts: last.type === 'run' ? runFacts(message, last) : hostFacts(message, last),
    others: count > 1 ? othersOf(message) : null,
    output: output && output.text !== '' ? { caption: output.isCut ? 'Output, its last 8 KB' : 'Output', text: plain(output.text) } : null,
  };
}

function runFacts({ about }: NoticeMessage, run: RunNotice): Letter['facts'] {
  const shard = run.shards > 1 ? ` (shard ${run.item} of ${run.shards})` : '';
  const facts: [string, string | null][] = [
    ['Job', about.name],
    ['Runtime', about.type === 'job' ? about.pool : null],
    ['Outcome', wordOf(run.outcome)],
    ['Server', run.host === null ? 'none: it did not begin' : `${run.host}${shard}`],
    ['Begin', run.startedAt === null ? 'it did not begin' : moment(run.startedAt)],
    ['End', moment(run.at)],
    ['Duration', run.startedAt === null ? null : durationOf(run.at - run.startedAt)],
    ['Exit code', run.exitCode === null ? null : String(run.exitCode)],
    ['Signal', run.signal],
    ['Reason', run.reason],
    ['Execution', run.execution],
  ];
  return facts.flatMap(([name, value]): Letter['facts'] => (value === null ? [] : [[name, visible(value)]]));
}

const hostFacts = ({ about, kind }: NoticeMessage, host: Exclude<NoticeEntry, RunNotice>): Letter['facts'] => [
  ['Runtime', about.name],
  ['Host', visible(host.name)],
  ['Address', visible(host.address)],
  ['Event', { hostJoined: 'ready for the first time', hostLost: 'lost', hostReturned: 'back' }[kind as string] ?? kind],
  ['At', moment(host.at)],
];

/** All that the delivery stands for, oldest first; those that are not listed are counted. */
function othersOf({ about, count, entries, last }: NoticeMessage): NonNullable<Letter['others']> {
  const listed = entries.at(-1)?.at === last.at && nameOf(entries.at(-1) as NoticeEntry) === nameOf(last) ? entries : [...entries, last];
  const left = count - listed.length;
  const lines = listed.map(lineOf);
  if (left > 0) lines.splice(lines.length - 1, 0, `… ${left} more …`);
  return { caption: `This message stands for ${count} ${about.type === 'job' ? 'executions' : 'events'}, oldest first`, lines };
}

const lineOf = (entry: NoticeEntry): string =>
  visible(
    entry.type === 'run'
      ? [moment(entry.at), wordOf(entry.outcome), entry.execution, entry.reason].filter(part => part !== null).join('  ')
      : `${moment(entry.at)}  ${entry.name}`,
  );

const nameOf = (entry: NoticeEntry): string => (entry.type === 'run' ? entry.execution : entry.name);
const wordOf = (outcome: string): string => (outcome === 'timedOut' ? 'timed out' : outcome);
const moment = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** 90061000 ms: `1 d 1 h 1 min 1 s`. */
function durationOf(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  return parts
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}

/** Without colours and other sequences of terminals; a progress bar keeps its last state. */
const plain = (output: string): string =>
  stripVTControlCharacters(output)
    .split('\n')
    .map(line =>
      visible(
        line
          .replace(/\r$/, '')
          .replace(/^[\s\S]*\r/, '')
          .replaceAll('\t', '    '),
      ),
    )
    .join('\n');
