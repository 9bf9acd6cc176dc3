/**
 * Frames between center and agent, JSON texts over one WebSocket that the agent opens.
 *
 *   agent                                  center
 *     | <---- challenge ------------------- |   nonce to sign
 *     | ----- prove ----------------------> |   nonce; the center signs it with its key
 *     | <---- proof ----------------------- |   required by an agent, not by a keeper
 *     | ----- hello ----------------------> |   join token once, then key and signature; runs
 *     | <---- welcome / refused ----------- |   with the liveness token of `agentLost`
 *     | <---- start, stop ----------------- |   at least once, in order
 *     | ----- commandsAcknowledged -------> |   once they are in the journal
 *     | ----- report ---------------------> |   at least once
 *     | <---- reportsAcknowledged --------- |   once they are committed
 *     | ----- output ---------------------> |   in order per run, a window of unacknowledged bytes
 *     | <---- outputAcknowledged ---------- |   once it is stored
 *     | <---> ping, pong ------------------ |   three silent heartbeats close the socket
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export const PROTOCOL = 1;
/** Largest frame of an agent, bytes. */
export const AGENT_FRAME_MAX = 256 * 1024;
/** Largest frame of the center, bytes. A shard whose start does not fit fails with the reason. */
export const CENTER_FRAME_MAX = 16 * 1024 * 1024;
/**
 * Longest argument, and longest `NAME=value` of the environment, bytes of UTF-8. Linux allows
 * 131,072 (MAX_ARG_STRLEN), including the NUL.
 */
export const ARGUMENT_BYTES_MAX = 131_071;
/**
 * Arguments and environment of a process together, bytes, each text with its NUL and its pointer.
 * Linux allows a quarter of the stack limit, usually 2 MiB; half is left for variables of the host.
 */
export const START_BYTES_MAX = 1024 * 1024;
/** Longest reason of a stop, characters. */
export const STOP_REASON_MAX = 1_000;
/** Largest text of one output frame, bytes of UTF-8. */
export const OUTPUT_TEXT_MAX = 64 * 1024;

const text = (max: number) => z.string().max(max);
const argument = () => z.string().refine(value => fitsIn(ARGUMENT_BYTES_MAX, value), { error: `more than ${ARGUMENT_BYTES_MAX} bytes` });
/** Last instant whose ISO 8601 text has a year of four digits, epoch ms. */
const INSTANT_MAX = 253_402_300_799_999;
/** Largest count of anything: reports, chunks, epochs, bytes. Sums of thousands stay exact. */
export const COUNT_MAX = 2 ** 50;
/** Longest span, ms: a year. */
const SPAN_MAX = 366 * 86_400_000;
/** Largest pid of any system. */
const PID_MAX = 2 ** 31 - 1;
const instant = z.number().int().min(0).max(INSTANT_MAX);
const count = (min = 0, max = COUNT_MAX) => z.number().int().min(min).max(max);
const span = count(0, SPAN_MAX);

const encoder = new TextEncoder();
/**
 * Whether a text has at most so many bytes of UTF-8. A UTF-16 unit has three at most, so most texts
 * need no encoding.
 */
export const fitsIn = (bytes: number, value: string): boolean => value.length * 3 <= bytes || encoder.encode(value).length <= bytes;

/** One attempt of one shard. At most one process is ever alive per run. */
export const Run = z.object({ execution: text(300), item: count(0, 1_000_000), attempt: count(1, 1_000_000) });
export type Run = z.infer<typeof Run>;
export const keyOfRun = (run: Run): string => `${run.execution}:${run.item}:${run.attempt}`;

/**
 * Fencing token of a command: the epoch of the partition's owner, then the revision of the
 * execution that sent it. Lower ones are rejected.
 */
export const Fence = z.object({ partition: count(0, 255), epoch: count(), rev: count() });
export type Fence = z.infer<typeof Fence>;

/** The app of a run. Absent: none, the working directory is empty. */
export const Artifact = z.object({
  app: text(100),
  url: text(4096),
  sha256: text(64).optional(),
  /** false: fetched for every execution; true: the host's copy is used. */
  cache: z.boolean(),
  /** Grows with each edit of the app: a copy of an older version is validated again. */
  version: count(),
});
export type Artifact = z.infer<typeof Artifact>;

/**
 * The directory that the runs of a job on a host share. `job`: id of the job. `file`: the content
 * of the center's file store that it begins with; null: it begins empty.
 */
const JobDirectory = z.object({
  job: text(100),
  file: z.object({ name: text(200), sha256: z.string().regex(/^[0-9a-f]{64}$/), size: count() }).nullable(),
  /** When the execution was created: content of a later one takes the place of an earlier one's. */
  asOf: instant,
});
export type JobDirectory = z.infer<typeof JobDirectory>;

/** The process of a run. */
export const ProcessSpec = z.object({
  /** argv; or a string, split as by a shell. With `shell` a shell executes the string. */
  command: z.union([text(65536), z.array(argument()).min(1).max(1000)]),
  shell: z.boolean(),
  /** Appended to the arguments: the sharding context of ElasticJob scripts. */
  lastArgument: argument().optional(),
  env: z.record(z.string(), z.string()),
  artifact: Artifact.optional(),
  /** Absent: its own, which leaves with it, or that of its app. Never beside `artifact`. */
  directory: JobDirectory.optional(),
  /** The host user of its processes. Absent: the one of the agent's settings. */
  runAs: text(100).optional(),
  /** 0 = none. */
  timeoutMs: span,
  /** From TERM to KILL. */
  killGraceMs: span,
  disconnect: z.enum(['continue', 'stop']),
  /** With `stop`: the run ends when the center was unreachable this long, ms; 0 = never. */
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
   * The kind of end: `cancelled`, or `superseded` when the shard has its outcome already.
   * `withdrawn`: the run must not start; a started one continues.
   */
  as: z.enum(['cancelled', 'superseded', 'withdrawn']),
  reason: text(STOP_REASON_MAX),
});
export const Command = z.discriminatedUnion('type', [StartCommand, StopCommand]);
export type StartCommand = z.infer<typeof StartCommand>;
export type StopCommand = z.infer<typeof StopCommand>;
export type Command = z.infer<typeof Command>;

/** The part of the host that prevents a start. No process of the run was started. */
export const HostFaultCode = z.enum(['epoch', 'journal', 'disk', 'keeper', 'spawn', 'runs']);
export type HostFaultCode = z.infer<typeof HostFaultCode>;

const RunOutcome = z.enum(['succeeded', 'failed', 'timedOut', 'cancelled', 'lost']);

/** A report of a run. `id`: the agent's number, in its journal until `reported` comes. */
export const StartedReport = z.object({
  type: z.literal('report'),
  id: count(),
  run: Run,
  state: z.literal('started'),
  at: instant,
  pid: count(0, PID_MAX),
  /** The directory of its job on this host. Absent: the run has one of its own, or its app's. */
  directory: text(4_096).optional(),
});
export const EndedReport = z.object({
  type: z.literal('report'),
  id: count(),
  run: Run,
  state: z.literal('ended'),
  outcome: RunOutcome,
  /** Absent when the process was not started, or its exit was not observed. */
  exitCode: z
    .number()
    .int()
    .min(-(2 ** 31))
    .max(2 ** 32 - 1)
    .optional(),
  signal: text(20).optional(),
  startedAt: instant.optional(),
  at: instant,
  /** One sentence, where the outcome needs an explanation. */
  reason: text(2000).optional(),
  /** Processes that were alive after the exit of the first one, and terminated. Absent: none. */
  leftRunning: z.number().int().min(1).max(1_000_000_000).optional(),
  /** Its preparation ended the agent more than once: another attempt would end the next one. */
  parked: z.boolean().optional(),
  /** The host failed, not the run. No process was started. */
  hostFault: HostFaultCode.optional(),
  /** Exact bytes that the process wrote. The center counts how many of them are missing. */
  output: z.object({ stdoutBytes: count(), stderrBytes: count() }).optional(),
});
/** The end of a run, without the fields that identify the report. */
export const RunVerdict = EndedReport.omit({ type: true, id: true, run: true, state: true });
export type RunVerdict = z.infer<typeof RunVerdict>;
export const Report = z.discriminatedUnion('state', [StartedReport, EndedReport]);
export type StartedReport = z.infer<typeof StartedReport>;
export type EndedReport = z.infer<typeof EndedReport>;
export type Report = z.infer<typeof Report>;

/** A chunk of output. `seq` counts the chunks of a run, from 1. */
export const OutputFrame = z.object({
  type: z.literal('output'),
  run: Run,
  seq: count(1),
  at: instant,
  stream: z.enum(['stdout', 'stderr']),
  text: text(OUTPUT_TEXT_MAX),
  /** Bytes that the process wrote for `text`. */
  bytes: count(),
  /**
   * Bytes of this stream before this chunk, sent or not. An absolute position: the agent cannot
   * know which chunks the center has stored when an acknowledgement is lost.
   */
  start: count(),
});
export type OutputFrame = z.infer<typeof OutputFrame>;

/** Labels of one host. Every record of it has them all. */
export const LABELS_MAX = 100;

/** Users of one host that jobs may name. */
export const RUN_AS_MAX = 100;

/** How a host keeps the apps of runs apart. `verified`: runs share an app. */
export const AppIsolation = z.enum(['overlay', 'clone', 'copy', 'verified']);
export type AppIsolation = z.infer<typeof AppIsolation>;

export const Capabilities = z.object({
  os: text(40),
  arch: text(40),
  cpus: z.number().positive().max(100_000),
  memoryMB: z.number().positive().max(1_000_000_000),
  labels: z.record(text(100), text(200)).refine(labels => Object.keys(labels).length <= LABELS_MAX, `at most ${LABELS_MAX} labels`),
  agentVersion: text(40),
  hostname: text(253),
  /** How the keeper ends process trees on this host. */
  treeKill: z.enum(['cgroup', 'subreaper', 'group']),
  /**
   * `user`: of jobs that name none, null = the agent's own. `allowed`: users that jobs may name.
   */
  runAs: z.object({ user: text(100).nullable(), allowed: z.array(text(100)).max(RUN_AS_MAX) }),
  appIsolation: AppIsolation,
});
export type Capabilities = z.infer<typeof Capabilities>;

/** Highest valid epoch: far above those of real centers, far below the precision of numbers. */
export const EPOCH_MAX = 2 ** 50;
/**
 * A difference of epochs that only a restored store causes: its center raises them by more. A
 * restart of a center raises them by one.
 */
export const EPOCHS_RAISED = 500_000;
const EPOCHS_TEXT_MAX = 256 * 21;

/** `7:3 12:4`: partition and epoch. A text, because a hello may have some hundred of them. */
export const writeEpochs = (epochs: Iterable<[partition: number, epoch: number]>): string =>
  [...epochs].map(([partition, epoch]) => `${partition}:${epoch}`).join(' ');

/** Undefined: not a text of `writeEpochs`. */
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
  /** Absent: the one of its join token, else `default`; a known host stays in its pool. */
  pool: text(100).optional(),
  /** Ed25519 public key, raw 32 bytes, base64url. The host's identity. */
  publicKey: text(64),
  /** Ed25519 signature over the UTF-8 text `troupe-hello:<nonce>`, base64url. */
  signature: text(120),
  /** Until a center has welcomed this agent. */
  joinToken: text(200).optional(),
  /** Changes when the machine restarts, which loses its runs. */
  bootId: text(100),
  /** Random, of this process: two at the same time are two agents with one key. */
  instanceId: text(100).optional(),
  /** Identifies the data directory during this boot: another one with the same key is a copy. */
  dataDirId: text(100).optional(),
  capabilities: Capabilities,
  /** The highest known epoch of each partition, see `writeEpochs`. */
  epochs: text(EPOCHS_TEXT_MAX),
  /** Runs that have not ended, and ended ones whose end the center has not acknowledged. */
  runs: z.array(z.object({ run: Run, state: z.enum(['preparing', 'running', 'ending', 'ended']) })).max(10_000),
});
export type Hello = z.infer<typeof Hello>;

/** Asks the center to sign the nonce with its installation's key. Once, before the hello. */
const Prove = z.object({ type: z.literal('prove'), nonce: text(100) });

/** The only frame of a keeper, when its agent disconnects: host and runs are still alive. */
const AgentLost = z.object({ type: z.literal('agentLost'), livenessToken: text(100) });

/** Close reason of an agent that stops on purpose; its runs continue. */
export const GOODBYE = 'the agent stops';

/**
 * The agent will never execute this command. `unreadable`: its frame does not fit the agent's
 * protocol version, `message` says where. `failed`: the execution of the command failed.
 */
export const Rejected = z.object({
  type: z.literal('rejected'),
  key: text(500),
  run: Run,
  reason: z.enum(['lowerEpoch', 'lowerFence', 'unreadable', 'failed']),
  message: text(500).optional(),
  /** Whether this agent has a record of the run: it may have started. */
  known: z.boolean().optional(),
});
export type Rejected = z.infer<typeof Rejected>;

export const FromAgent = z.discriminatedUnion('type', [
  Prove,
  Hello,
  AgentLost,
  z.object({ type: z.literal('commandsAcknowledged'), keys: z.array(text(500)).max(1000) }),
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
     * The center's highest epoch, and an id of its process. They show an agent that the center's
     * store may have been restored to an earlier state.
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
    /** The center takes several frames in one message, one per line. */
    batching: z.boolean().optional(),
    /** For the keeper's `agentLost`. */
    livenessToken: text(100).optional(),
    /** Fetches files of the center, as a bearer token, while this session lasts. */
    fileToken: text(100).optional(),
    /** Where apps may come from, see `host-policy.ts`. Absent: no files of the host. */
    apps: z.object({ fileUrls: z.boolean(), hosts: z.array(text(300)).nullable() }).optional(),
  }),
  z.object({ type: z.literal('refused'), code: text(40), message: text(1000) }),
  StartCommand,
  StopCommand,
  z.object({ type: z.literal('reportsAcknowledged'), ids: z.array(count()).max(1000) }),
  z.object({ type: z.literal('outputAcknowledged'), run: Run, through: count() }),
  z.object({ type: z.literal('ping'), nonce: text(64) }),
  z.object({ type: z.literal('pong'), nonce: text(64) }),
]);
export type FromCenter = z.infer<typeof FromCenter>;

/** The token of a session, made of a random secret. */
export const fileTokenOf = (secret: string): string => `${FILE_TOKEN}${secret}`;
export const isFileToken = (token: string): boolean => token.startsWith(FILE_TOKEN);
const FILE_TOKEN = 'troupe_agent_';

/** The text that an agent signs with its key. */
export const helloText = (nonce: string): string => `troupe-hello:${nonce}`;

/** The text that a center signs: with both nonces, so that no other session can use it. */
export const centerText = (agentNonce: string, centerNonce: string): string => `troupe-center:${agentNonce}:${centerNonce}`;

/** SHA-256 of the raw public key, base64url: 43 characters. */
export const fingerprintOf = (publicKey: string): string =>
  createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('base64url');

export const isFingerprint = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text);

/** A join token is `<secret>.<fingerprint>`. Undefined: it has no fingerprint. */
export function tokenFingerprint(token: string): string | undefined {
  const fingerprint = token.slice(token.lastIndexOf('.') + 1);
  return token.includes('.') && isFingerprint(fingerprint) ? fingerprint : undefined;
}
