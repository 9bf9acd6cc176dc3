/** A host: a machine with an agent. */
import { z } from 'zod';
import type { HostFaultCode } from '../agent.ts';
import { endpoints } from './endpoint.ts';
import { choices, field, name, once } from './fields.ts';
import { listOf, paging } from './lists.ts';
import { Amounts, amounts, count, created, moment, Quarantine, words } from './responses.ts';

export const HOST_STATUSES = ['joining', 'ready', 'draining', 'suspect', 'lost', 'retired'] as const;

/** As agents report it. Their frames are more than the command line should load for a list. */
const FAULTS = ['epoch', 'journal', 'disk', 'keeper', 'spawn', 'runs'] as const satisfies readonly HostFaultCode[];

export const Host = once(() =>
  z
    .object({
      id: words('drawn when it joined', 'h-3f9a'),
      name: words('as its agent calls it', 'web-1'),
      pool: words('its pool', 'west'),
      status: field(z.enum(HOST_STATUSES), 'whether it takes runs'),
      address: words('IP address that its agent came from', '10.0.0.9'),
      os: words('its system', 'linux'),
      arch: words('its processor', 'x64'),
      ...amounts(),
      free: Amounts().describe('what its pool has not given away'),
      labels: field(z.record(z.string(), z.string()), 'labels set by its agent', { example: { zone: 'a' } }),
      agentVersion: words('version of its agent', '0.1.0'),
      hostname: words('its name in the network', 'web-1.example.org'),
      treeKill: field(z.enum(['cgroup', 'subreaper', 'group', '']), 'how a tree of processes is ended there'),
      appIsolation: field(
        z.enum(['overlay', 'clone', 'copy', 'verified', '']),
        'what a run gets of its app there: an overlay, a copy that shares blocks, a copy, or a shared tree that is verified',
      ),
      runAs: field(z.string().nullable(), 'the user that jobs run as there when they name nobody; null: that of its agent', {
        example: 'www-data',
      }),
      runAsAllowed: field(z.array(z.string()), 'the users that jobs may name there', { example: ['www-data'] }),
      running: count('runs on it', { example: 2 }),
      draining: field(z.boolean(), 'whether it drains: it receives no new runs'),
      rejectedByPool: field(z.string().nullable(), 'why its pool does not take it', { example: 'pool west does not exist' }),
      excluded: field(z.boolean(), 'whether the servers of its pool do not name it: it finishes its runs and gets no new ones'),
      refusing: field(
        z
          .object({
            fault: field(z.enum(FAULTS), 'what kind of reason it is', { example: 'disk' }),
            reason: words('in its own words', 'its disk is full'),
            since: moment('when it began'),
            times: count('refusals in a row', { example: 1 }),
            triedAt: moment('when it gets a run again to try it; null: with the next one').nullable(),
          })
          .nullable(),
        'it refused a run for a reason of its own and receives no new runs',
      ),
      quarantine: Quarantine(),
      lastSeenAt: moment('when it was connected last').nullable(),
      connectedAt: moment('since when it is connected').nullable(),
      ...created(),
    })
    .meta({ id: 'Host' }),
);
export type Host = z.output<ReturnType<typeof Host>>;

const turn = (summary: string) => ({ tag: 'hosts', access: 'user', summary, answers: Host }) as const;

export const hostEndpoints = endpoints({
  'GET /v1/hosts': {
    tag: 'hosts',
    access: 'user',
    summary: 'Hosts by name.',
    query: z.object({
      ...paging,
      pool: field(name(), 'only those of a pool', { example: 'west', takes: 'POOL' }).optional(),
      status: field(choices(HOST_STATUSES), 'only those in these states', { usual: 'all but retired' }).optional(),
    }),
    answers: () => listOf(Host()),
  },
  'GET /v1/hosts/:id': { tag: 'hosts', access: 'user', summary: 'One host, by id or by a name that only one has.', answers: Host },
  'POST /v1/hosts/:id/drain': turn('The host receives no new runs.'),
  'POST /v1/hosts/:id/resume': turn('The host gets work again.'),
  'POST /v1/hosts/:id/retire': turn('For good: its runs are lost, its agent is sent away.'),
  'DELETE /v1/hosts/:id': {
    tag: 'hosts',
    access: 'user',
    summary: 'Deletes a retired host. Its key stays refused; its history follows the retention of all history.',
    answers: null,
    status: 204,
  },
  'POST /v1/hosts/:id/release': turn('Ends the quarantine of a host: messages that wait for it are delivered.'),
});
