/** The body of `POST logs`: a log as agents of the original send it. */
import { z } from 'zod';
import { field } from '../../protocol/rest/fields.ts';
import { anyJobId, goTime, shortText } from './body-fields.ts';

const MB = 2 ** 20;
export const LOG_LIMITS = { bytes: 16 * MB, textBytes: MB } as const;

/** A year of seconds: longer than a run may take. */
const SECONDS_MAX = 366 * 86_400;
const CREATED_MAX = 8_640_000_000_000_000;
const secondsRule = `seconds, a number from 0 to ${SECONDS_MAX}`;
const createdRule = 'epoch ms, a whole number';
const statRule = '0 or -1';

export const LogBody = z.object(
  {
    jobid: field(anyJobId(), 'of the job, which need not exist yet', { example: '399d4b159c65c9b34d2a3c41' }),
    msgid: field(shortText(200), 'one log of one job is kept once', { example: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' }),
    event: field(shortText(), 'kept as it is', { example: '' }),
    group: field(shortText(1_000), 'kept as it is', { example: '' }),
    stat: field(z.literal([0, -1], statRule), '0: it went well; -1: it failed', { example: 0 }).default(0),
    location: field(shortText(1_000), 'kept as it is', { example: 'myCluster' }),
    command: field(shortText(), 'kept as it is', { example: './run.sh' }),
    workdir: field(shortText(), 'kept as it is', { example: './cache/399d4b159c65c9b34d2a3c41/d41d8cd98f00b204e9800998ecf8427e' }),
    ipaddr: field(shortText(1_000), 'kept as it is', { example: '192.168.2.80' }),
    stdout: field(z.string('a text').default(''), 'its output', { example: 'done\n' }),
    errout: field(z.string('a text').default(''), 'its errors', { example: '' }),
    execerr: field(shortText(), 'kept as it is', { example: '' }),
    execat: field(goTime(), 'when it began', { example: '2018-05-22T15:04:05.999999999+08:00' }),
    exectimes: field(
      z.number(secondsRule).min(0, secondsRule).max(SECONDS_MAX, secondsRule).default(0),
      'how long it ran, in seconds as agents of the original send it',
      { example: 1.5 },
    ),
    createat: field(
      z.int(createdRule).min(0, createdRule).max(CREATED_MAX, createdRule).default(0),
      'when it ended, epoch ms; 0: when it is received',
      { example: 1_526_972_645_999 },
    ),
  },
  'a JSON object',
);
export type LogBody = z.output<typeof LogBody>;
