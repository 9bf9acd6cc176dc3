/**
 * What center and agent say to each other over one WebSocket that the agent opened. JSON text
 * frames; the only file both sides share.
 *
 *   agent                        center
 *     | <---- challenge ---------- |   nonce to sign
 *     | ----- prove -------------> |   nonce; the center signs it with its installation key
 *     | <---- proof -------------- |   an agent waits for it; a keeper does not ask for it
 *     | ----- hello -------------> |   join token once, then key and signature; runs here
 *     | <---- welcome / refused -- |   with the token of the frame that a keeper sends on its own
 *     |                            |   socket when it loses its agent
 *     | <---- start, stop -------- |   at least once, in order; `done` by the agent once journaled
 *     | ----- done --------------> |
 *     | ----- report ------------> |   at least once; `reported` by the center once committed
 *     | <---- reported ----------- |
 *     | ----- output ------------> |   in order per run, a window of unacknowledged bytes
 *     | <---- kept --------------- |   by the center once stored
 *     | <---> ping, pong --------- |   both ways; silence for three heartbeats closes the socket
 *
 * A center that welcomes with `gathers` takes several frames in one message, a line each.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export const PROTOCOL = 1;
/** Largest frame the center takes from an agent, bytes. */
export const AGENT_FRAME_MAX = 256 * 1024;
/**
 * Largest frame an agent takes from the center, bytes. The center does not send a larger one: it
 * ends the shard with the reason.
 */
export const CENTER_FRAME_MAX = 16 * 1024 * 1024;
/**
 * Longest argument, and longest `NAME=value` of the environment, bytes of UTF-8: Linux takes
 * 131,072 (MAX_ARG_STRLEN), the NUL included.
 */
export const ARGUMENT_BYTES_MAX = 131_071;
/**
 * All arguments and the environment of a process together, bytes: each text with its NUL and its
 * pointer. Linux takes a quarter of the stack's limit, 2 MiB of the usual 8; the other half is left
 * to what the host itself adds.
 */
export const START_BYTES_MAX = 1024 * 1024;
/** Longest reason of a stop, characters. */
export const STOP_REASON_MAX = 1_000;
/** Largest text of one output frame, bytes of UTF-8. */
export const OUTPUT_TEXT_MAX = 64 * 1024;

const text = (max: number) => z.string().max(max);
/** A text that the kernel takes as one argument. */
const argument = () => z.string().refine(value => fitsIn(ARGUMENT_BYTES_MAX, value), { error: `more than ${ARGUMENT_BYTES_MAX} bytes` });
/** Last instant whose ISO 8601 text has four digits for the year, epoch ms. */
export const INSTANT_MAX = 253_402_300_799_999;
/**
 * Most that anything is counted to: reports, pieces, epochs, and bytes (a pebibyte). Sums of
 * thousands of them are exact.
 */
export const COUNT_MAX = 2 ** 50;
/** Longest span, ms: a year. */
const SPAN_MAX = 366 * 86_400_000;
/** Largest number of a process that any system gives. */
const PID_MAX = 2 ** 31 - 1;
const instant = z.number().int().min(0).max(INSTANT_MAX);
const count = (min = 0, max = COUNT_MAX) => z.number().int().min(min).max(max);
const span = count(0, SPAN_MAX);

const encoder = new TextEncoder();
/**
 * Whether a text takes at most so many bytes of UTF-8. A unit of a string takes three at most, so
 * most texts need not be encoded.
 */
export const fitsIn = (bytes: number, value: string): boolean => value.length * 3 <= bytes || encoder.encode(value).length <= bytes;

/** One process of one shard: at most one is ever alive per run. */
export const Run = z.object({ execution: text(300), item: count(0, 1_000_000), attempt: count(1, 1_000_000) });
export type Run = z.infer<typeof Run>;
export const runKey = (run: Run): string => `${run.execution}:${run.item}:${run.attempt}`;

/**
 * Who may command a run: the epoch of the partition's owner, then the rev of the execution that
 * owed the command. Lower ones are refused.
 */
export const Fence = z.object({ partition: count(0, 255), epoch: count(), rev: count() });
export type Fence = z.infer<typeof Fence>;

/** What to fetch before a start. Absent: no app, an empty working directory. */
export const Artifact = z.object({
  app: text(100),
  url: text(4096),
  sha256: text(64).optional(),
  /** false: fetched anew for every execution; true: the host's copy is used. */
  cache: z.boolean(),
  /** Changes with every edit of the app: a copy fetched for an older edit is validated again. */
  version: count(),
});
export type Artifact = z.infer<typeof Artifact>;

/** What to run. */
export const ProcessSpec = z.object({
  /**
   * argv; or one string that is split like a shell would, without a shell; with `shell` the string
   * goes to a shell as it is.
   */
  command: z.union([text(65536), z.array(argument()).min(1).max(1000)]),
  shell: z.boolean(),
  /** Appended as the last argument (the sharding context of ElasticJob scripts). */
  lastArgument: argument().optional(),
  env: z.record(z.string(), z.string()),
  artifact: Artifact.optional(),
  /** The user of the host that its processes run as. Absent: whom the agent's settings say. */
  runAs: text(100).optional(),
  /** 0 = none. */
  timeoutMs: span,
  /** From TERM to KILL. */
  killGraceMs: span,
  disconnect: z.enum(['continue', 'stop']),
  /** With `stop`: end the run once the center has been out of reach this long; 0 = never. */
  disconnectMs: span,
});
export type ProcessSpec = z.infer<typeof ProcessSpec>;

export const StartCommand = z.object({ type: z.literal('start'), key: text(500), fence: Fence, run: Run, spec: ProcessSpec });
export const StopCommand = z.object({
  type: z.literal('stop'),
  key: text(500),
  fence: Fence,
  run: Run,
  /**
   * What the run's end is called: `cancelled`, or `superseded` when its verdict stands already.
   * `withdrawn`: it must not begin; if it has, it goes on.
   */
  as: z.enum(['cancelled', 'superseded', 'withdrawn']),
  reason: text(STOP_REASON_MAX),
});
export const Command = z.discriminatedUnion('type', [StartCommand, StopCommand]);
export type StartCommand = z.infer<typeof StartCommand>;
export type StopCommand = z.infer<typeof StopCommand>;
export type Command = z.infer<typeof Command>;

/**
 * Why this host, and not the run, refuses a start: nothing of the run began. The words are those of
 * `HostFault` in `actors/vocabulary.ts`.
 */
export const HostFault = z.enum(['epoch', 'journal', 'disk', 'keeper', 'spawn', 'runs']);
export type HostFault = z.infer<typeof HostFault>;

const RunOutcome = z.enum(['succeeded', 'failed', 'timedOut', 'cancelled', 'lost']);

/** A report of a run. `id`: the agent's number, in its journal until `reported` comes. */
export const StartedReport = z.object({
  type: z.literal('report'),
  id: count(),
  run: Run,
  state: z.literal('started'),
  at: instant,
  pid: count(0, PID_MAX),
});
export const EndedReport = z.object({
  type: z.literal('report'),
  id: count(),
  run: Run,
  state: z.literal('ended'),
  outcome: RunOutcome,
  /** Absent when the process never started or its end was not seen. */
  exitCode: z
    .number()
    .int()
    .min(-(2 ** 31))
    .max(2 ** 32 - 1)
    .optional(),
  signal: text(20).optional(),
  startedAt: instant.optional(),
  at: instant,
  /** One plain sentence where the outcome alone does not tell. */
  reason: text(2000).optional(),
  /** Processes that the run left behind when it ended by itself; they were ended. Absent: none. */
  leftRunning: z.number().int().min(1).max(1_000_000_000).optional(),
  /** It ended this agent more than once: another attempt would end the next one. */
  parked: z.boolean().optional(),
  /** The host is at fault, not the run; nothing of the run began. */
  hostFault: HostFault.optional(),
  /** Exact bytes the process wrote. How many of them are left out is counted where the log is. */
  output: z.object({ stdoutBytes: count(), stderrBytes: count() }).optional(),
});
/** How a run ended, without what says which report of it this is. */
export const RunVerdict = EndedReport.omit({ type: true, id: true, run: true, state: true });
export type RunVerdict = z.infer<typeof RunVerdict>;
export const Report = z.discriminatedUnion('state', [StartedReport, EndedReport]);
export type StartedReport = z.infer<typeof StartedReport>;
export type EndedReport = z.infer<typeof EndedReport>;
export type Report = z.infer<typeof Report>;

/** A piece of output; `seq` counts up by one per run, from 1. */
export const OutputFrame = z.object({
  type: z.literal('output'),
  run: Run,
  seq: count(1),
  at: instant,
  stream: z.enum(['stdout', 'stderr']),
  text: text(OUTPUT_TEXT_MAX),
  /** Bytes the process wrote for `text`. */
  bytes: count(),
  /**
   * Bytes of this stream before this piece, sent or not. A place rather than a difference: the
   * agent cannot know which pieces the center has stored when their acknowledgement was lost.
   */
  start: count(),
});
export type OutputFrame = z.infer<typeof OutputFrame>;

/** Labels of one host: every record of it carries them all. */
export const LABELS_MAX = 100;

/** Users of a host that jobs may name. */
export const RUN_AS_MAX = 100;

export const Capabilities = z.object({
  os: text(40),
  arch: text(40),
  cpus: z.number().positive().max(100_000),
  memoryMB: z.number().positive().max(1_000_000_000),
  labels: z.record(text(100), text(200)).refine(labels => Object.keys(labels).length <= LABELS_MAX, `at most ${LABELS_MAX} labels`),
  agentVersion: text(40),
  hostname: text(253),
  /** How a process tree is ended on this host. */
  treeKill: z.enum(['cgroup', 'subreaper', 'group']),
  /** As whom it runs jobs that name nobody (null: as its agent), and whom they may name. */
  runAs: z.object({ user: text(100).nullable(), allowed: z.array(text(100)).max(RUN_AS_MAX) }),
  /** How what runs write into their apps is kept apart on this host. */
  appIsolation: z.enum(['overlay', 'clone', 'copy', 'verified']),
});
export type Capabilities = z.infer<typeof Capabilities>;

/**
 * Highest epoch that is taken for one: far above what centers reach, and far below where numbers
 * lose their units.
 */
export const EPOCH_MAX = 2 ** 50;
/**
 * An epoch that rose by so much was raised over an earlier state: less than such a raise, and more
 * than centers that start anew count up, one each.
 */
export const EPOCHS_RAISED = 500_000;
const EPOCHS_TEXT_MAX = 256 * 21;

/**
 * `7:3 12:4`: partition and epoch. A text, because a fleet that comes back brings some hundred of
 * them per agent.
 */
export const writeEpochs = (epochs: Iterable<[partition: number, epoch: number]>): string =>
  [...epochs].map(([partition, epoch]) => `${partition}:${epoch}`).join(' ');

/** Undefined: the text is none that `writeEpochs` makes. */
export function readEpochs(written: string): [partition: number, epoch: number][] | undefined {
  const epochs: [number, number][] = [];
  for (const word of written === '' ? [] : written.split(' ')) {
    const cut = word.indexOf(':');
    const [partition, epoch] = [Number(word.slice(0, cut)), Number(word.slice(cut + 1))];
    if (cut < 1 || cut === word.length - 1 || !isWithin(partition, 255) || !isWithin(epoch, EPOCH_MAX)) return undefined;
    epochs.push([partition, epoch]);
  }
  return epochs;
}
const isWithin = (value: number, max: number): boolean => Number.isInteger(value) && value >= 0 && value <= max;

export const Hello = z.object({
  type: z.literal('hello'),
  protocol: count(0, 1_000_000),
  name: text(100),
  pool: text(100),
  /** Ed25519 public key, raw 32 bytes, base64url. The host's identity. */
  publicKey: text(64),
  /** Ed25519 signature over the UTF-8 text `troupe-hello:<nonce>`, base64url. */
  signature: text(120),
  /** Only the first time. */
  joinToken: text(200).optional(),
  /** Changes when the machine starts anew: its runs of before are lost. */
  bootId: text(100),
  /** Of this process, drawn at its start: two alive at once are two agents with one key. */
  life: text(100).optional(),
  /** Names the data directory on this boot: the same key from another one is a copy. */
  place: text(100).optional(),
  capabilities: Capabilities,
  /** The highest epoch served of each partition, see `writeEpochs`. */
  epochs: text(EPOCHS_TEXT_MAX),
  /**
   * Every run that this agent answers for: those that have not ended, and ended ones whose end the
   * center has not confirmed (`ended`).
   */
  runs: z.array(z.object({ run: Run, state: z.enum(['preparing', 'running', 'ending', 'ended']) })).max(10_000),
});
export type Hello = z.infer<typeof Hello>;

/** The center shall prove that it holds the key of its installation. Once, before the hello. */
const Prove = z.object({ type: z.literal('prove'), nonce: text(100) });

/**
 * First and only frame of a keeper that has lost its agent: its host and its runs are there all the
 * same.
 */
const Attended = z.object({ type: z.literal('attended'), word: text(100) });

/** The agent hangs up on purpose; what it runs goes on. */
export const GOODBYE = 'the agent stops';

/**
 * `unreadable`: the frame of the command does not fit the protocol that this agent speaks,
 * `message` says where. `failed`: it could not be carried out.
 */
export const Rejected = z.object({
  type: z.literal('rejected'),
  key: text(500),
  run: Run,
  reason: z.enum(['lowerEpoch', 'lowerFence', 'unreadable', 'failed']),
  message: text(500).optional(),
  /** Whether this agent knows the run: what it knows may have begun. */
  known: z.boolean().optional(),
});
export type Rejected = z.infer<typeof Rejected>;

export const FromAgent = z.discriminatedUnion('type', [
  Prove,
  Hello,
  Attended,
  z.object({ type: z.literal('done'), keys: z.array(text(500)).max(1000) }),
  /** A command this agent will never carry out; the key is settled all the same. */
  Rejected,
  Report,
  OutputFrame,
  z.object({ type: z.literal('ping'), nonce: text(64) }),
  z.object({ type: z.literal('pong'), nonce: text(64) }),
]);
export type FromAgent = z.infer<typeof FromAgent>;

export const FromCenter = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('challenge'),
    nonce: text(100),
    protocol: count(0, 1_000_000),
    /**
     * The highest epoch of this center, and an id of its process. By them an agent knows that the
     * store of the center may hold an earlier state.
     */
    epoch: count(),
    instanceId: text(100),
  }),
  /**
   * `key`: Ed25519 public key, raw 32 bytes, base64url. `signature`: over the UTF-8 text
   * `centerText`, base64url.
   */
  z.object({ type: z.literal('proof'), key: text(64), signature: text(120) }),
  z.object({
    type: z.literal('welcome'),
    host: text(100),
    heartbeatMs: count(1, SPAN_MAX),
    gathers: z.boolean().optional(),
    word: text(100).optional(),
    /**
     * Where apps may come from, see `app-hosts.ts`. Absent: nothing is said, so files of the host
     * are not allowed.
     */
    apps: z.object({ fileUrls: z.boolean(), hosts: z.array(text(300)).nullable() }).optional(),
  }),
  z.object({ type: z.literal('refused'), code: text(40), message: text(1000) }),
  StartCommand,
  StopCommand,
  z.object({ type: z.literal('reported'), ids: z.array(count()).max(1000) }),
  z.object({ type: z.literal('kept'), run: Run, through: count() }),
  z.object({ type: z.literal('ping'), nonce: text(64) }),
  z.object({ type: z.literal('pong'), nonce: text(64) }),
]);
export type FromCenter = z.infer<typeof FromCenter>;

/** The text an agent signs to prove that it holds its key. */
export const helloText = (nonce: string): string => `troupe-hello:${nonce}`;

/**
 * The text a center signs to prove that it holds the installation's key: both nonces, so that no
 * other session can use it.
 */
export const centerText = (agentNonce: string, centerNonce: string): string => `troupe-center:${agentNonce}:${centerNonce}`;

/** SHA-256 of the raw public key, base64url: 43 characters. */
export const fingerprintOf = (publicKey: string): string =>
  createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('base64url');

export const isFingerprint = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text);

/** A join token is `<secret>.<fingerprint>`. Undefined: it carries none. */
export function tokenFingerprint(token: string): string | undefined {
  const fingerprint = token.slice(token.lastIndexOf('.') + 1);
  return token.includes('.') && isFingerprint(fingerprint) ? fingerprint : undefined;
}
