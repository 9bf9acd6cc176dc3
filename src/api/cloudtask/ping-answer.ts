/**
 * The answer of `_ping`: keys and types of the original, in its order. Where this center has no
 * counterpart a value is always the same.
 */
import { z } from 'zod';
import { field, once } from '../../protocol/rest/fields.ts';
import { count, words } from '../../protocol/rest/responses.ts';

/** A field without a counterpart here. */
const always = <const T extends string | number | boolean>(value: T) => field(z.literal(value), 'always this value', { example: value });
const isSo = (description: string) => field(z.boolean(), description, { example: true });

const Node = () =>
  z.object({
    type: always(1),
    hostname: words('name of its machine', 'host.localdomain'),
    datacenter: always(''),
    location: always(''),
    os: words('operating system, in the words of Go', 'linux'),
    platform: words('processor, in the words of Go', 'amd64'),
    ipaddr: words('its address', '192.168.2.80'),
    apiaddr: words('its first listener', 'http://192.168.2.80:8985'),
    pid: count('its process', { example: 1 }),
    singin: always(false),
    timestamp: always(0),
    alivestamp: count('the second of its start, UNIX time', { example: 1_521_268_194 }),
    attach: field(z.null(), 'always null', { example: null }),
  });

const Cluster = () =>
  z.object({
    hosts: words('its listeners, commas between', '127.0.0.1:8899,127.0.0.1:8985'),
    root: always(''),
    device: always(''),
    runtime: always(''),
    os: always(''),
    platform: always(''),
    pulse: words('between heartbeats of agents', '5s'),
    timeout: words('from the last message of a host to its loss', '60s'),
    threshold: always(1),
  });

const StorageDriver = () =>
  z.union([
    z.object({
      mongo: field(
        z.object({
          database: words('its name', 'troupe'),
          hosts: words('its servers, commas between', '192.168.2.80:27017,192.168.2.81:27017'),
          options: field(z.array(z.string()), 'options of its address; secrets are masked', { example: ['replicaSet=rs0'] }),
        }),
        'the database',
      ),
    }),
    z.object({ sqlite: field(z.object({ path: words('its file', '/var/lib/troupe/troupe.sqlite') }), 'the database') }),
  ]);

const EndPoint = () =>
  z.object({
    Name: always('smtp'),
    URL: always(''),
    Enabled: always(true),
    Sender: words('address of its mails', 'troupe@example.com'),
    Host: words('the mail server', 'smtp.example.com'),
    Port: count('its port', { example: 25 }),
    User: words('its user', ''),
    Password: field(z.enum(['', '******']), 'masked where it is set', { example: '******' }),
  });

const SystemConfig = () =>
  z.object({
    version: words('of this program', 'v.0.1.0'),
    pidfile: always(''),
    retrystartup: always(true),
    useserverconfig: always(false),
    cluster: field(Cluster(), 'listeners and heartbeat'),
    api: field(
      z.object({
        hosts: field(z.array(z.string()), 'its listeners', { example: ['127.0.0.1:8985'] }),
        enablecors: isSo('whether TROUPE_CORS names an origin'),
      }),
      'the API',
    ),
    scheduler: field(
      z.object({ allocmode: always('hash'), allocrecovery: words('between checks of the allocation', '320s') }),
      'allocation of jobs',
    ),
    cache: field(
      z.object({
        lrusize: count('actors kept in memory', { example: 10_000 }),
        storagedriver: field(StorageDriver(), 'where data is kept'),
      }),
      'memory and storage',
    ),
    notifications: field(z.object({ EndPoints: field(z.array(EndPoint()), 'empty without TROUPE_SMTP') }), 'mail'),
    logger: field(
      z.object({ logfile: always(''), loglevel: words('lowest level that is logged', 'info'), logsize: always(0) }),
      'the log, which goes to the standard error',
    ),
  });

export const Ping = once(() =>
  z
    .object({
      app: words('MD5 of the build', '296721666eddf741016105ebe1bc3fb4'),
      key: words('stays with the data of the center', '3a95a871-9dc4-4955-b213-5a040e324309'),
      node: field(Node(), 'this process'),
      systemconfig: field(SystemConfig(), 'its configuration'),
    })
    .meta({ id: 'CloudtaskPing' }),
);
export type Ping = z.output<ReturnType<typeof Ping>>;
