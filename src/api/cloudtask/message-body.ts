/** Bodies of `POST messages`: messages of agents and of the web server of the original. */
import { z } from 'zod';
import { field } from '../../protocol/rest/fields.ts';
import { anyJobId, goTime, shortText, timestamp } from './body-fields.ts';

const nameRule = 'the name of a message';
const stateRule = 'a whole number';
const idsRule = 'a list of at most 10000 ids';

const SYSTEM_EVENTS = [
  ...(['create_job', 'change_job', 'remove_job', 'change_jobsfile'] as const),
  ...(['create_runtime', 'change_runtime', 'remove_runtime'] as const),
  ...(['create_group', 'change_group', 'remove_group'] as const),
];
export const isKnownEvent = (event: string): boolean => (SYSTEM_EVENTS as readonly string[]).includes(event);

const msgid = () => field(shortText(200), 'not looked at', { example: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' });
const jobid = () => field(anyJobId(), 'of the job; one that does not exist: nothing is kept', { example: '399d4b159c65c9b34d2a3c41' });
const location = () => field(shortText(1_000), 'not looked at', { example: 'myCluster' });
const stamp = (unit: 'ns' | 'ms') =>
  field(timestamp(), `when it was sent, ${unit} since 1970`, { example: unit === 'ms' ? 1_526_972_645_999 : 1_526_972_645_999_999_000 });
const ids = (what: string) => field(z.array(z.string('an id'), idsRule).max(10_000, idsRule).default([]), what, { example: [] });
const named = <Name extends string>(name: Name) => field(z.literal(name), 'its name', { example: name });

export const JobExecute = z.object({
  msgname: named('JobExecute'),
  msgid: msgid(),
  jobid: jobid(),
  location: location(),
  key: field(shortText(200), 'of the host', { example: '517ae088-779c-4520-b23f-e5f0c341081d' }),
  ipaddr: field(shortText(200), 'of the host', { example: '192.168.2.80' }),
  state: field(z.int(stateRule).default(0), '200: started; 0: went well; -1: failed', { example: 200 }),
  execerr: field(shortText(), 'how it failed', { example: '' }),
  execat: field(goTime(), 'when it began', { example: '2018-05-22T15:04:05.999999999+08:00' }),
  nextat: field(goTime(), 'when it is due next', { example: '0001-01-01T00:00:00Z' }),
  timestamp: stamp('ns'),
});

export const JobSelect = z.object({
  msgname: named('JobSelect'),
  msgid: msgid(),
  jobid: jobid(),
  location: location(),
  nextat: field(goTime(), 'when it is due next', { example: '2018-05-22T15:04:05.999999999+08:00' }),
  timestamp: stamp('ns'),
});

export const SystemEvent = z.object({
  msgname: named('SystemEvent'),
  msgid: msgid(),
  event: field(shortText(200), `one of ${SYSTEM_EVENTS.join(', ')}; others are passed over`, { example: 'change_job' }),
  runtime: field(shortText(1_000), 'whose table is checked; empty: the tables of all', { example: 'myCluster' }),
  jobids: ids('not looked at'),
  groupids: ids('not looked at'),
  timestamp: stamp('ms'),
});

/** For the reference. */
export const AnyMessage = z.union([JobExecute, JobSelect, SystemEvent]);

const any = () => z.unknown().optional();
/** Names of all fields: a message of an unknown name may have any values in them. */
export const MessageBody = z.object(
  {
    msgname: z.string(nameRule).min(1, nameRule),
    ...{ msgid: any(), timestamp: any() },
    ...{ jobid: any(), location: any(), key: any(), ipaddr: any(), state: any(), execerr: any(), execat: any(), nextat: any() },
    ...{ event: any(), runtime: any(), jobids: any(), groupids: any() },
  },
  'a JSON object',
);
