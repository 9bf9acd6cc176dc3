/** A runtime of Cloudtask in requests, and the PoolConfig that it means. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { PoolConfig } from '../../../actors/pool/types.ts';
import { isTimeZone } from '../../../actors/schedule/index.ts';
import { Problem } from '../../http/errors.ts';
import { field, name, text } from '../../protocol/rest/fields.ts';
import { PoolFields } from '../../protocol/rest/pool.ts';
import { allFields, laidOver, type Term, updateOf } from '../commands/partial-update.ts';
import { refuseRenamed } from './job-meaning.ts';

const { servers, owners, groups, description } = PoolFields.shape;
const zoneRule = 'an IANA time zone such as Europe/Berlin';
const SERVERS_MAX = 10_000;
const serverRule = `a list of at most ${SERVERS_MAX} objects with name or ipaddr`;

/** A server of a document of the original. */
const ServerEntry = z.object(
  {
    name: field(text(253), 'its name', { example: 'host.localdomain' }).default(''),
    ipaddr: field(text(253), 'its address', { example: '192.168.2.80' }).default(''),
  },
  'an object with name or ipaddr',
);

/** Without defaults. What the center alone knows is passed over like an unknown field. */
export const RUNTIME_FIELDS = {
  location: field(name(), 'unique among the runtimes of the center', { example: 'myCluster' }),
  description: description.unwrap(),
  owners: owners.unwrap(),
  group: groups.unwrap(),
  servers: servers.unwrap(),
  timezone: field(
    text(100).refine(zone => zone === '' || isTimeZone(zone), zoneRule),
    'IANA time zone of jobs that name none; empty: that of the center',
    { example: 'Europe/Berlin' },
  ),
} as const;

const fields = {
  ...RUNTIME_FIELDS,
  servers: RUNTIME_FIELDS.servers.describe('names and addresses of the hosts that may join; default: those of `server`'),
  location: RUNTIME_FIELDS.location.describe('unique among the runtimes of the center; default: `runtime`, one of them is required'),
  runtime: RUNTIME_FIELDS.location.describe('the same; default: `location`'),
  server: field(
    z.array(ServerEntry, serverRule).max(SERVERS_MAX, serverRule),
    'servers by name and address; read where `servers` is absent',
  ),
};

/** Body of PUT: an absent field is unchanged. */
export const RuntimeChangeBody = z.object(fields, 'a JSON object').partial();
type RuntimeChangeBody = z.output<typeof RuntimeChangeBody>;

/** Body of POST. */
export const NewRuntimeBody = RuntimeChangeBody.extend({
  description: fields.description.default(''),
  owners: fields.owners.default([]),
  group: fields.group.default([]),
  server: fields.server.default([]),
  timezone: fields.timezone.default(''),
});
type NewRuntimeBody = z.output<typeof NewRuntimeBody>;

/** The fields of an answer that a request may hold. */
export const runtimeSettings = (config: PoolConfig) => ({
  location: config.name,
  description: config.description,
  owners: config.owners ?? [],
  group: config.groups ?? [],
  servers: config.servers,
  timezone: config.timeZone ?? '',
});

type Settings = Omit<ReturnType<typeof runtimeSettings>, 'location'>;
const TERMS: readonly Term<Settings, PoolConfig>[] = [
  { fields: ['description'], means: body => ({ description: body.description }) },
  { fields: ['owners'], means: body => ({ owners: body.owners }) },
  { fields: ['group'], means: body => ({ groups: body.group }) },
  { fields: ['servers'], means: body => ({ servers: body.servers }) },
  { fields: ['timezone'], means: body => ({ timeZone: body.timezone || null }) },
];

/** The names and addresses of servers, each once. */
const entriesIn = (servers: readonly { name?: string; ipaddr?: string }[]): string[] => [
  ...new Set(servers.flatMap(({ name = '', ipaddr = '' }) => [name, ipaddr]).filter(entry => entry !== '')),
];

/** Throws Problem `invalid`. */
export function newRuntime({ runtime, location = runtime, server, ...body }: NewRuntimeBody): PoolConfig {
  if (location === undefined) throw new Problem('invalid', 'location is missing, but must be a name.', { field: 'location' });
  const bare: PoolConfig = { name: location, description: '', servers: [], timeZone: null };
  return laidOver(bare, { ...body, servers: body.servers ?? entriesIn(server) }, TERMS, allFields(TERMS));
}

/**
 * The runtime after a change; a field that equals the present answer changes nothing. `shown`: its
 * servers there. Throws Problem `invalid`.
 */
export function changedRuntime(
  { runtime, location, server, ...body }: RuntimeChangeBody,
  before: PoolConfig,
  shown: readonly { name?: string; ipaddr?: string }[],
): PoolConfig {
  refuseRenamed('location', location, before.name);
  refuseRenamed('runtime', runtime, before.name);
  const isNew = server !== undefined && !isDeepStrictEqual(entriesIn(server), entriesIn(shown));
  const raw = body.servers === undefined && isNew ? { ...body, servers: entriesIn(server) } : body;
  const mapping = { json: runtimeSettings, schema: z.looseObject({}), terms: TERMS, absent: 'unchanged' as const };
  return updateOf<Settings, PoolConfig>(raw, before, mapping).after;
}
