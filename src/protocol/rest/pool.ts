/** A pool, its hosts and their reservations. */
import { z } from 'zod';
import { isTimeZone } from '../../../actors/schedule/index.ts';
import { endpoints } from './endpoint.ts';
import { address, field, name, once, text } from './fields.ts';
import { listOf, paging } from './lists.ts';
import { answered, PatchBody } from './patch.ts';
import { Amounts, amounts, count, created, moment, Quarantine, words } from './responses.ts';

const SERVERS_MAX = 10_000;
const zoneRule = 'an IANA time zone such as Europe/Berlin, or null';

const OWNERS_MAX = 50;
const ownersRule = `a list of at most ${OWNERS_MAX} mail or http(s) addresses`;
const GROUPS_MAX = 1_000;
const groupsRule = `a list of at most ${GROUPS_MAX} groups {id, name, owners}`;
const groupOwnersRule = 'a list of at most 100 texts';

const Group = z.object(
  {
    id: field(text(100, 1), 'its id, which jobs name as `group`', { example: 'g1' }),
    name: field(text(100), 'for people', { example: 'billing' }).default(''),
    owners: field(z.array(text(320), groupOwnersRule).max(100, groupOwnersRule), 'who owns it', { example: ['ada'] }).default([]),
  },
  'an object {id, name, owners}',
);

/** Every setting, in the order of answers. */
export const PoolFields = z.strictObject(
  {
    name: field(name(), 'unique among the pools of the center', { example: 'west', flag: null }),
    timeZone: field(
      z.string(zoneRule).refine(isTimeZone, zoneRule).nullable(),
      'IANA time zone of schedules that name none; null: that of the center',
      {
        example: 'Europe/Berlin',
        takes: 'ZONE',
        help: 'of schedules that name none, such as Europe/Berlin',
      },
    ).default(null),
    servers: field(
      z.array(text(253, 1), 'a list of host names or addresses').max(SERVERS_MAX),
      'names, in any case, or IP addresses of the hosts that may join and take runs; empty: any',
      {
        example: ['web-1.example.org'],
        flag: null,
      },
    ).default([]),
    description: field(text(10_000), 'for people', { example: 'the machines in the west' }).default(''),
    owners: field(
      z.array(address(), ownersRule).max(OWNERS_MAX, ownersRule),
      'mail or http(s) addresses of those who are responsible for its hosts',
      { example: ['ops@example.org'], flag: 'owner', takes: 'ADDRESS' },
    ).default([]),
    groups: field(z.array(Group, groupsRule).max(GROUPS_MAX, groupsRule), 'business groups of its jobs; they are kept as they are', {
      example: [{ id: 'g1', name: 'billing', owners: ['ada'] }],
      flag: null,
    }).default([]),
  },
  'a JSON object',
);

export const Pool = once(() =>
  z
    .object({
      ...answered(PoolFields),
      status: field(z.enum(['open', 'deleting', 'deleted']), 'whether it takes jobs and hosts'),
      hosts: count('its hosts', { example: 3 }),
      waiting: count('executions that wait for capacity'),
      quarantine: Quarantine(),
      total: Amounts().describe('of all its hosts'),
      free: Amounts().describe('capacity without a reservation, of the hosts that receive runs'),
      updatedAt: moment('when its settings were changed last'),
      ...created(),
    })
    .meta({ id: 'Pool' }),
);
export type Pool = z.output<ReturnType<typeof Pool>>;

const Allocation = once(() =>
  z
    .object({
      pool: words('its name', 'west'),
      hosts: field(
        z.array(
          z.object({
            id: words('drawn when it joined', 'h-3f9a'),
            name: words('as its agent calls it', 'web-1'),
            open: field(z.boolean(), 'whether it takes runs'),
            total: Amounts().describe('its capacity'),
            free: Amounts().describe('its capacity without a reservation'),
            apps: field(
              z.array(z.object({ app: words('its name', 'my_app'), runs: count('runs of it on the host', { example: 1 }), ...amounts() })),
              'apps on it, and what each takes itself',
            ),
            runs: field(
              z.array(
                z.object({
                  execution: words('its execution', 'nightly@20261122T080000.000Z'),
                  item: count('the shard'),
                  attempt: count('which attempt of the shard', { example: 1 }),
                  app: field(z.string().nullable(), 'the app that it runs', { example: 'my_app' }),
                  ...amounts(),
                }),
              ),
              'runs on it, and what each takes',
            ),
          }),
        ),
        'its hosts',
      ),
      waiting: field(
        z.array(
          z.object({
            execution: words('which execution waits', 'nightly@20261122T080000.000Z'),
            shards: field(z.array(count('a shard')), 'its shards that wait', { example: [0, 1] }),
            since: moment('since when'),
            reason: words('for what', 'no host has 2 cores free'),
          }),
        ),
        'executions that wait for capacity',
      ),
      version: count('of its allocation table: +1 with each turn that changes rows', { example: 17 }),
      rows: field(
        z.array(
          z.object({
            job: words('a sticky job', 'nightly'),
            id: words('its id in the Cloudtask dialect', '5a2f1c3d9b8e7f6a5d4c3b2a'),
            version: count('of the job', { example: 1 }),
            hosts: field(z.array(z.string()), 'names of the hosts of its shards, one each', { example: ['web-1'] }),
            next: field(z.array(z.string()).nullable(), 'hosts that it takes when nothing of it runs; null: it stays', { example: null }),
          }),
        ),
        'sticky jobs and the hosts to which they are allocated, in the order in which they got a row',
      ),
      rev: created().rev,
    })
    .meta({ id: 'Allocation' }),
);

export const poolEndpoints = endpoints({
  'GET /v1/pools': { tag: 'pools', access: 'user', summary: 'Pools by name.', query: z.object(paging), answers: () => listOf(Pool()) },
  'POST /v1/pools': {
    tag: 'pools',
    access: 'user',
    summary: 'Creates a pool.',
    takesKey: true,
    body: PoolFields,
    answers: Pool,
    status: 201,
  },
  'GET /v1/pools/:name': { tag: 'pools', access: 'user', summary: 'One pool.', answers: Pool },
  'PATCH /v1/pools/:name': {
    tag: 'pools',
    access: 'user',
    summary: 'Changes the given fields; null puts one back to its default.',
    body: PatchBody,
    patches: PoolFields,
    answers: Pool,
  },
  'DELETE /v1/pools/:name': {
    tag: 'pools',
    access: 'user',
    summary: 'Deletes a pool that has neither hosts nor jobs.',
    answers: null,
    status: 204,
  },
  'POST /v1/pools/:name/release': {
    tag: 'pools',
    access: 'user',
    summary: 'Ends the quarantine of a pool: messages that wait for it are delivered.',
    answers: Pool,
  },
  'GET /v1/pools/:name/allocation': {
    tag: 'pools',
    access: 'user',
    summary: 'The reservations on each host, the executions that wait for capacity, and the hosts of sticky jobs.',
    answers: Allocation,
  },
});
