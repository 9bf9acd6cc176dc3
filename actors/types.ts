/**
 * Addresses, events, facts and effects of all kinds of actors. Types only; the types of one kind
 * alone are in its folder.
 *
 * Events are `noun.verb`. The imperative is a command and may be refused (`job.trigger`); the past
 * tense reports and may not (`execution.finished`). Facts are past tense.
 */
import type { AppConfig, AppContext, KnownApp } from './app/types.ts';
import type { ExecutionContext, RunConfig, RunEnd, RunName, RunPlacement, RunSpec, ShardOutcome } from './execution/types.ts';
import type { DisconnectKind, GracePeriods, HostCapabilities, HostContext } from './host/types.ts';
import type { OccurrenceEntry } from './job/occurrence.ts';
import type { JobConfig, JobContext, JobTrigger, ReportedState } from './job/types.ts';
import type {
  DecidingShard,
  NoticeContext,
  NoticeEntry,
  NoticeKind,
  NoticeMessage,
  NoticeOutput,
  NoticeSubject,
  SendResult,
} from './notice/types.ts';
import type { NamedHost } from './pool/admission.ts';
import type { HostRefusal, PlacedRun, PoolConfig, PoolContext, ReservationRequest } from './pool/types.ts';
import type { Claim, TableContext, TableHost } from './table/types.ts';

export interface Contexts {
  job: JobContext;
  execution: ExecutionContext;
  app: AppContext;
  host: HostContext;
  pool: PoolContext;
  table: TableContext;
  notice: NoticeContext;
}
export interface Events {
  job: JobEvent;
  execution: ExecutionEvent;
  app: AppEvent;
  host: HostEvent;
  pool: PoolEvent;
  table: TableEvent;
  notice: NoticeEvent;
}
export type Kind = keyof Events;
export type Address<K extends Kind = Kind> = `${K}/${string}`;

/** What the runtime adds to each event: machines read no clock and draw no random number. */
export interface Stamp {
  /** Epoch milliseconds. */
  at: number;
  /** 0 <= chance < 1, for jitter. */
  chance: number;
  /** Six characters `0-9a-z`, for names. */
  salt: string;
}
export type Stamped<E> = E & Stamp;
/** An event of one type, as its machine gets it. */
export type EventOf<K extends Kind, T extends Events[K]['type']> = Stamped<Extract<Events[K], { type: T }>>;

/** The outbox returns it to the sender when the addressee of an event does not exist. */
interface Missing {
  type: 'actor.missing';
  to: string;
  /** Type of the event that could not be delivered. */
  eventType: string;
  /** That event. */
  event?: { type: string };
}

/** Its quarantine ended. Epoch ms. */
interface Released {
  type: 'actor.released';
  since: number;
  reason: string;
}

export type JobEvent =
  /**
   * Creates it. The API has checked the configuration and that the app exists. `enabled` false:
   * it begins disabled. `by`: name of the user.
   */
  | { type: 'job.register'; config: JobConfig; claim?: string; enabled?: boolean; by?: string }
  /** With `enabled`: enables or disables it in the same turn. */
  | { type: 'job.update'; config: JobConfig; enabled?: boolean; by?: string }
  /**
   * Run it now; answers `{execution, joined}`. The same `key` gives the same execution (the last
   * 200 keys are kept). `onlyIdle`: refused while an execution of the job is open.
   */
  | { type: 'job.trigger'; key?: string; onlyIdle?: boolean }
  /** Run an ended execution again, as a new one; answers and keys as for `job.trigger`. */
  | { type: 'job.retry'; execution: string; key?: string }
  | { type: 'job.enable' }
  /** No new executions; with `kill` open ones are ended too. */
  | { type: 'job.disable'; kill: boolean }
  /** With `app`: only if it still uses that app. */
  | { type: 'job.deregister'; app?: string }
  /**
   * Ends every open execution, also one that waits; the job stays as it is. Idempotent. With `app`:
   * only if it still uses that app.
   */
  | { type: 'job.kill'; reason: string; app?: string }
  | { type: 'job.due' }
  /**
   * The schedule audit found that this due time was not armed (`unarmed`), or passed without a
   * verdict below the watermark (`noVerdict`). Epoch ms.
   */
  | { type: 'job.unarmed'; found: 'unarmed' | 'noVerdict'; dueAt: number; armedAt: number | null; watermark: number; reason: string }
  | { type: 'app.attached'; app: KnownApp }
  | { type: 'app.changed'; app: KnownApp }
  /** The app is deleted, is being deleted, or was never published. */
  | { type: 'app.refused'; app: string; reason: string }
  /**
   * Of a sticky job: the table proposes a host for each shard; null: no host takes it, with the
   * reason. `name`: of the host of the first shard. `closed`: its hosts of now that take no work
   * any more. The latest proposal wins.
   */
  | {
      type: 'job.propose';
      pool: string;
      serial: number;
      hosts: string[] | null;
      name: string | null;
      closed: string[];
      reason: string | null;
    }
  /** It asks the table of its pool for hosts again. */
  | { type: 'job.claimAgain' }
  /** These shards of an open execution have a live attempt elsewhere than that proposal says. */
  | { type: 'job.held'; execution: string; serial: number; held: number[] }
  /**
   * Another system reports a state of it. `timestamp`: its own, as decimal digits: nanoseconds
   * exceed 2^53. Instants are ISO 8601; null: none, as what a message does not have.
   */
  | { type: 'job.reported'; timestamp: string; report: ReportedState }
  /** `startedAt`: when its first process started; null where none did. */
  | {
      type: 'execution.finished';
      execution: string;
      outcome: string;
      finishedAt: number;
      startedAt?: number | null;
      /** The shard that decided its outcome. */
      decided?: DecidingShard;
    }
  | Released
  | Missing;

export type JobFact =
  | { type: 'job.registered'; job: string; version: number }
  | { type: 'job.updated'; job: string; version: number }
  | { type: 'job.enabled'; job: string }
  | { type: 'job.disabled'; job: string; kill: boolean }
  | { type: 'job.triggered'; job: string; execution: string; joined: boolean }
  /** A due time became an execution. */
  | { type: 'job.fired'; job: string; execution: string; dueAt: string; trigger: JobTrigger }
  /** Due times that became none. */
  | { type: 'job.skipped'; job: string; from: string; to: string; count: number; verdict: string; reason: string | null }
  | { type: 'job.finished'; job: string; execution: string; outcome: string }
  /**
   * The schedule audit found a due time that was not armed, or that had no verdict. Recorded with
   * the repair.
   */
  | { type: 'schedule.unarmed'; job: string; dueAt: string; armedAt: string | null; reason: string }
  /**
   * Its shards belong to other hosts now. `host`: of the first shard; null: no host takes it.
   * `hostName`: its name; null also where only further shards moved.
   */
  | {
      type: 'job.allocated';
      job: string;
      pool: string;
      host: string | null;
      hostName: string | null;
      shards: number;
      reason: string | null;
    }
  /** Another system reported a state of it, which changes nothing here. */
  | ({ type: 'job.reported'; job: string } & ReportedState)
  | { type: 'job.deregistering'; job: string }
  | { type: 'job.deregistered'; job: string };

export type ExecutionEvent =
  /** Creates it. Idempotent. */
  | {
      type: 'execution.create';
      id: string;
      trigger: JobTrigger;
      /** The due time it stands for, epoch ms; null when triggered. */
      dueAt: number | null;
      config: RunConfig;
      app: KnownApp | null;
      retryOf: string | null;
      /** Why it must wait for `execution.unblock`; null: it asks for capacity at once. */
      blockedReason: string | null;
      /** Of a sticky job: the host of each shard; null: none yet, and why. Absent: any host. */
      allocatedHosts?: string[] | null;
      unallocated?: string | null;
    }
  | { type: 'execution.unblock'; app: KnownApp | null }
  /** Command: end it. */
  | { type: 'execution.cancel'; reason: string }
  /** The same, sent by its job; an ended execution ignores it. */
  | { type: 'execution.end'; reason: string }
  | { type: 'execution.placed'; placements: RunPlacement[]; reason: string | null }
  | { type: 'execution.waiting'; reason: string }
  /** The pool neither places nor keeps the request: to be sent again later. */
  | { type: 'execution.noCapacity'; reason: string }
  | { type: 'execution.reserveAgain' }
  | { type: 'execution.retryDue' }
  /**
   * Its job has other hosts: each shard goes there once it has no live attempt. Null: it has none,
   * and why.
   */
  | { type: 'execution.move'; serial: number; hosts: string[] | null; reason: string | null }
  /** Its job gave up its place: nothing new begins, runs go on. */
  | { type: 'execution.deallocated'; reason: string }
  /** It has started no process within the limit of its job. */
  | { type: 'execution.startOverdue' }
  /** A host has reported neither start nor end of an order to start for too long. */
  | { type: 'execution.answerOverdue' }
  /**
   * `session`: the session of its host that reported this, counted from 1. `directory`: that of its
   * job on the host, where it runs in it.
   */
  | {
      type: 'shard.started';
      item: number;
      attempt: number;
      host: string;
      startedAt: number;
      pid: number;
      session?: number;
      directory?: string;
    }
  | ({ type: 'shard.ended' } & RunEnd)
  /** The host is lost. */
  | { type: 'shard.lost'; host: string; runs: RunName[]; reason: string }
  /** The host is connected, but its agent did not know of these runs when `session` began. */
  | { type: 'shard.unaccounted'; host: string; runs: RunName[]; session: number }
  /** The host is connected, and its agent does not answer the order to start or end these runs. */
  | { type: 'shard.unanswered'; host: string; runs: RunName[]; reason: string }
  /** The host drains: runs that have not begun there move to other hosts. */
  | { type: 'shard.withdraw'; host: string; runs: RunName[]; reason: string }
  /** The host runs what the ledger does not have. */
  | { type: 'shard.unknownRun'; host: string; runs: RunName[] }
  | Released
  | Missing;

export type ExecutionFact =
  | {
      type: 'execution.created';
      execution: string;
      job: string;
      trigger: JobTrigger;
      dueAt: string | null;
      shards: number;
      blockedReason: string | null;
    }
  | { type: 'execution.pending'; execution: string; job: string; reason: string }
  | { type: 'execution.cancelling'; execution: string; job: string; reason: string }
  /** It ends without a process, because none started within the limit of its job. */
  | { type: 'execution.notStarted'; execution: string; job: string; reason: string }
  /** Its job gave up its place: what has not begun is ended. */
  | { type: 'execution.deallocated'; execution: string; job: string; reason: string }
  | { type: 'execution.finished'; execution: string; job: string; outcome: ShardOutcome }
  | { type: 'shard.placed'; execution: string; job: string; item: number; attempt: number; host: string; hostName: string }
  | { type: 'shard.started'; execution: string; job: string; item: number; attempt: number; host: string }
  | {
      type: 'shard.ended';
      execution: string;
      job: string;
      item: number;
      attempt: number;
      host: string | null;
      outcome: ShardOutcome;
      exitCode: number | null;
      signal: string | null;
      reason: string | null;
    }
  /** Its host ended processes that an attempt left running when it ended by itself. */
  | {
      type: 'shard.leftRunning';
      execution: string;
      job: string;
      item: number;
      attempt: number;
      host: string | null;
      processes: number;
    };

export type AppEvent =
  /** Creates it. `enabled` false: it begins disabled. */
  | { type: 'app.publish'; config: AppConfig; claim?: string; enabled?: boolean }
  /** Sets the given fields. With `enabled`: enables or disables it in the same turn. */
  | { type: 'app.modify'; changes: Partial<Omit<AppConfig, 'name'>>; enabled?: boolean }
  | { type: 'app.enable' }
  /** Its jobs start nothing new; with `kill` their running executions are ended. */
  | { type: 'app.disable'; kill: boolean }
  | { type: 'app.delete' }
  /** A job uses this app from now on; the answer is the event `app.attached` or `app.refused`. */
  | { type: 'app.attach'; job: string }
  | { type: 'app.detach'; job: string }
  | Missing;

export type AppFact =
  | { type: 'app.published'; app: string; version: number }
  | { type: 'app.modified'; app: string; version: number }
  | { type: 'app.enabled'; app: string }
  | { type: 'app.disabled'; app: string; kill: boolean }
  | { type: 'app.deleting'; app: string; jobs: string[] }
  | { type: 'app.deleted'; app: string };

export type HostEvent =
  /** Creates it: an agent joined with this key. */
  | { type: 'host.enroll'; id: string; name: string; pool: string; publicKey: string; graceMs: number }
  /**
   * Its agent proved its identity; `runs`: the runs that it has. The newest session wins. Answers
   * `{session}`, a number counted per host; a host that may not serve answers nothing. An omitted
   * grace keeps its value.
   */
  | ({
      type: 'host.connected';
      session: string;
      address: string;
      capabilities: HostCapabilities;
      bootId: string;
      runs: RunName[];
    } & Partial<GracePeriods>)
  /** `disconnectKind`: default `away`. `silentMs`: time since the last frame, default 0. */
  | { type: 'host.disconnected'; session: string; reason: string; disconnectKind?: DisconnectKind; silentMs?: number }
  /** The keeper of that session's agent reports that only the agent is gone. */
  | { type: 'host.agentLost'; session: string }
  /** Its pool does not take it. */
  | { type: 'host.rejectedByPool'; session: number; reason: string }
  /** A center began to serve: no session is left, and the grace starts again from now. */
  | { type: 'host.restartGrace' }
  | { type: 'host.graceExpired' }
  | { type: 'host.drain' }
  | { type: 'host.resume' }
  /** Permanent: its runs are lost, its sessions are refused. */
  | { type: 'host.retire' }
  /** Removes a retired host; its facts stay as long as all facts. */
  | { type: 'host.delete' }
  | Missing;

export type HostFact =
  | { type: 'host.enrolled'; host: string; name: string; pool: string }
  | { type: 'host.ready'; host: string; name: string; session: string }
  | { type: 'host.draining'; host: string; name: string }
  | { type: 'host.suspect'; host: string; name: string; reason: string }
  | { type: 'host.lost'; host: string; name: string }
  /** Its pool does not take it; its session is closed, and its agent tries again. */
  | { type: 'host.rejectedByPool'; host: string; name: string; reason: string }
  | { type: 'host.retired'; host: string; name: string }
  | { type: 'host.deleted'; host: string; name: string };

export type PoolEvent =
  /** Creates it. */
  | { type: 'pool.create'; config: PoolConfig; claim?: string; by?: string }
  | { type: 'pool.modify'; changes: Partial<Omit<PoolConfig, 'name'>>; by?: string }
  | { type: 'pool.delete' }
  /**
   * An execution asks for capacity; the answer is the event `execution.placed` or
   * `execution.waiting`. Idempotent.
   */
  | { type: 'pool.reserve'; request: ReservationRequest }
  /** These runs are over. */
  | { type: 'pool.release'; runs: RunName[]; refused?: HostRefusal }
  /** A process of the execution that tried this host has started there. */
  | { type: 'pool.hostRecovered'; host: string }
  /** The time until hosts that refused are tried again is over. */
  | { type: 'pool.trialDue' }
  /** Deletes the execution's request; its reservations are released one by one as its runs end. */
  | { type: 'pool.withdraw'; execution: string }
  | ({
      type: 'pool.hostReady';
      host: string;
      cpus: number;
      memoryMB: number;
      open: boolean;
      runs: RunName[];
      session: number;
    } & NamedHost)
  /** `open: false`: it drains. */
  | { type: 'pool.hostOpen'; host: string; open: boolean }
  /** It has no session: its runs keep their reservations, new runs are not placed on it. */
  | { type: 'pool.hostDisconnected'; host: string }
  /** Its runs are lost, and so are their reservations. `isRetired`: an operator removes it. */
  | { type: 'pool.hostLost'; host: string; reason: string; isRetired?: true }
  | { type: 'pool.hostRemoved'; host: string }
  /** The next turn of a pass over the waiting requests that was too long for one. */
  | { type: 'pool.continuePass' }
  /** Its table has lost track of its hosts: sends them all. */
  | { type: 'pool.describe' }
  | Missing;

export type PoolFact =
  | { type: 'pool.created'; pool: string }
  | { type: 'pool.modified'; pool: string }
  | { type: 'pool.placed'; pool: string; execution: string; placed: PlacedRun[] }
  | { type: 'pool.waiting'; pool: string; execution: string; reason: string }
  /** A host takes no new run before `until`; then one execution tries it. */
  | { type: 'pool.hostRefusing'; pool: string; host: string; name: string; fault: string; reason: string; until: string }
  | { type: 'pool.hostRecovered'; pool: string; host: string; name: string }
  /** Its servers do not name this host: it finishes its runs and gets no new ones. */
  | { type: 'pool.hostExcluded'; pool: string; host: string; name: string }
  /** They name it again. */
  | { type: 'pool.hostAdmitted'; pool: string; host: string; name: string }
  | { type: 'pool.deleted'; pool: string };

export type TableEvent =
  /** Creates it, with its pool. */
  | { type: 'table.create'; pool: string }
  | { type: 'table.delete' }
  /** A host of the pool, new or changed. */
  | { type: 'table.host'; host: TableHost }
  | { type: 'table.hostGone'; host: string }
  /** A job is sticky in this pool. `hosts`: those it has. Idempotent. */
  | { type: 'table.claim'; claim: Claim; hosts: string[] | null }
  /** It is not any more: disabled, deregistered, moved, or of another placement. */
  | { type: 'table.release'; job: string }
  /** The job has taken these hosts. */
  | { type: 'table.moved'; job: string; hosts: string[] }
  /** The check of the table found a difference; `job` null: in the hosts. */
  | { type: 'table.repair'; job: string | null; reason: string }
  | Missing;

/** Its pool says that it is created and deleted, its jobs say where they are allocated. */
export type TableFact =
  /** The check found a difference; those who own the truth send it again. */
  { type: 'table.repaired'; pool: string; job: string | null; reason: string };

export type NoticeEvent =
  /** A notice for these recipients. Creates the actor. */
  | {
      type: 'notice.add';
      about: NoticeSubject;
      kind: NoticeKind;
      subject: string;
      content: string;
      to: readonly string[];
      entry: NoticeEntry;
    }
  /** Something is to be composed or tried again. */
  | { type: 'notice.due' }
  /** The end of the output that a delivery shows. */
  | { type: 'notice.outputRead'; delivery: number; output: NoticeOutput | null }
  /** How a round of a delivery went, by recipient. */
  | { type: 'notice.answered'; delivery: number; round: number; results: SendResult[] }
  /** Its job is deleted: it ends when nothing waits any more. */
  | { type: 'notice.close' };

/** Of one delivery, which stands for `count` notices. `to`: the recipients with this outcome. */
interface Notified {
  /** Name of the job, or `pool:<name>`. */
  notice: string;
  delivery: number;
  kind: NoticeKind;
  to: string[];
  count: number;
}

export type NoticeFact =
  | ({ type: 'notification.sent' } & Notified)
  /** It could not be sent now, and is tried again. */
  | ({ type: 'notification.tried'; reason: string; retryAt: string } & Notified)
  /** It is given up. */
  | ({ type: 'notification.failed'; reason: string } & Notified);

/**
 * Everything that a machine can ask of the world. The names are the declared actions of the
 * machines; the runtime grants exactly these.
 */
export type Effect =
  /** Send the event to another actor, at least once and in order; the addressee drops repeats. */
  | { type: 'tell'; params: { [K in Kind]: { to: Address<K>; event: Events[K] } }[Kind] }
  /** Write entries of the occurrence ledger. Idempotent; a final verdict is never replaced. */
  | { type: 'record'; params: { entries: OccurrenceEntry[] } }
  /** Have the agent of `host` start this run; at least once, in order per host. */
  | { type: 'start'; params: { host: string; run: RunName; spec: RunSpec } }
  /**
   * Have the agent of `host` end this run, or never start it. `withdrawn`: only the latter; a run
   * that has begun continues.
   */
  | { type: 'stop'; params: { host: string; run: RunName; as: 'cancelled' | 'superseded' | 'withdrawn'; reason: string } }
  /** Close the session of a host that may not serve now, or never again. */
  | { type: 'closeSession'; params: { host: string; code: 'retired' | 'rejectedByPool'; reason: string } }
  /**
   * Send a notification to these recipients, at least once; the answer is the event
   * `notice.answered`. Actor and number of the delivery make it recognised as a repeat.
   */
  | { type: 'send'; params: { round: number; message: NoticeMessage; recipients: { to: string; slot: number | null }[] } }
  /**
   * Read the end of the output of this attempt, once `bytes` of it have arrived or enough time has
   * passed (null: at once); the answer is the event `notice.outputRead`.
   */
  | { type: 'readOutput'; params: { delivery: number; execution: string; item: number; attempt: number; bytes: number | null } }
  /** Answer the command that is being decided (after the commit; not a pending effect). */
  | { type: 'answer'; params: { value: unknown } }
  /** Put this actor into quarantine with the commit of this turn (not a pending effect). */
  | { type: 'quarantine'; params: { reason: string } };
