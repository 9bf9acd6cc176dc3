/** What `/v1` tells of apps, hosts and pools, and of the facts of any actor. */
import { z } from 'zod';
import { HostFault } from '../agent.ts';
import { Quarantine } from './quarantine.ts';
import { count, moment } from './responses.ts';

const amounts = { cpus: z.number(), memoryMB: z.number() };
const Amounts = z.object(amounts);

export const App = z
  .object({
    name: z.string(),
    url: z.string(),
    sha256: z.string().nullable(),
    command: z.union([z.string(), z.array(z.string())]),
    resources: Amounts.describe('of the app itself, once per host'),
    cache: z.boolean(),
    traceEvery: count(),
    description: z.string(),
    enabled: z.boolean(),
    status: z.enum(['enabled', 'disabled', 'deleting', 'deleted']),
    jobs: z.array(z.string()),
    quarantine: Quarantine,
    rev: count(),
    version: count(),
    createdAt: moment(),
    updatedAt: moment(),
  })
  .meta({ id: 'App' });

export const Host = z
  .object({
    id: z.string(),
    name: z.string(),
    pool: z.string(),
    status: z.enum(['joining', 'ready', 'draining', 'suspect', 'lost', 'retired']),
    address: z.string(),
    os: z.string(),
    arch: z.string(),
    ...amounts,
    free: Amounts.describe('as its pool reckons'),
    labels: z.record(z.string(), z.string()),
    agentVersion: z.string(),
    hostname: z.string(),
    treeKill: z.enum(['cgroup', 'subreaper', 'group', '']).describe('how a tree of processes is ended there'),
    appIsolation: z
      .enum(['overlay', 'clone', 'copy', 'verified', ''])
      .describe('what a run gets of its app there: an overlay, a copy that shares blocks, a copy, or a shared tree that is verified'),
    runAs: z.string().nullable().describe('the user that jobs run as there when they name nobody; null: that of its agent'),
    runAsAllowed: z.array(z.string()).describe('the users that jobs may name there'),
    running: count(),
    draining: z.boolean(),
    rejectedByPool: z.string().nullable().describe('why its pool does not take it'),
    refusing: z
      .object({
        fault: HostFault,
        reason: z.string(),
        since: moment(),
        times: count().describe('refusals in a row'),
        triedAt: moment().nullable().describe('when it gets a run again to try it; null: with the next one'),
      })
      .nullable()
      .describe('it refused a run for a reason of its own, and takes nothing new'),
    quarantine: Quarantine,
    lastSeenAt: moment().nullable(),
    connectedAt: moment().nullable(),
    rev: count(),
    createdAt: moment(),
  })
  .meta({ id: 'Host' });

export const Pool = z
  .object({
    name: z.string(),
    timeZone: z.string().nullable(),
    servers: z.array(z.string()),
    description: z.string(),
    status: z.enum(['open', 'deleting', 'deleted']),
    hosts: count(),
    waiting: count().describe('executions that wait for room'),
    quarantine: Quarantine,
    total: Amounts,
    free: Amounts,
    rev: count(),
    createdAt: moment(),
    updatedAt: moment(),
  })
  .meta({ id: 'Pool' });

export const Allocation = z
  .object({
    pool: z.string(),
    hosts: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        open: z.boolean(),
        total: Amounts,
        free: Amounts,
        apps: z.array(z.object({ app: z.string(), runs: count(), ...amounts })),
        runs: z.array(z.object({ execution: z.string(), item: count(), attempt: count(), app: z.string().nullable(), ...amounts })),
      }),
    ),
    waiting: z.array(z.object({ execution: z.string(), shards: z.array(count()), since: moment(), reason: z.string() })),
    rev: count(),
  })
  .meta({ id: 'Allocation' });

/** What happened, as history keeps it and the feed carries it. */
export const Fact = z
  .object({
    cursor: z.string(),
    at: moment(),
    address: z.string().describe('the actor: `job/nightly`'),
    rev: count(),
    type: z.string().describe('past tense: `job.triggered`'),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Fact' });
