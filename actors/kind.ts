/** What each kind of actor gives to the runtime and to readers, besides its machine. */

/** Fields by which lists find and order an actor. */
export interface IndexFields {
  /** execution: its job; job: its app; host: its pool. */
  parent: string | null;
  /** job: its pool; null for all others. */
  pool: string | null;
  /** job: its `id`, 24 hex digits; null for all others. */
  alias: string | null;
  /** job: its group, where it has one; null for all others. */
  group: string | null;
  /**
   * Its state in the terms of its kind; a job in quarantine is `quarantined`, an idle sticky job
   * without hosts `unallocated`.
   */
  status: string;
  outcome: string | null;
  /** Ids of the hosts that an execution was placed on. */
  hosts: string[];
  /**
   * Instant that orders the lists, epoch ms: when it was created. No list shows a tombstone; of a
   * tombstone this is its end, from which its retention counts.
   */
  at: number;
  /** When an execution ended, epoch ms; null for all others. */
  endedAt: number | null;
}

/** Of a kind that lists find by its status alone. */
export const plainIndex = (status: string, at: number): IndexFields => ({
  parent: null,
  pool: null,
  alias: null,
  group: null,
  status,
  outcome: null,
  hosts: [],
  at,
  endedAt: null,
});

/** From version n to n + 1: pure functions over the stored snapshot, never removed. */
export type Upgrades = Record<number, (snapshot: unknown) => unknown>;

export interface KindDefinition<Context, Event> {
  /** Version of its stored snapshots. */
  version: number;
  upgrades: Upgrades;
  /** Type of the event that creates an actor of this kind. */
  createEvent: string;
  /**
   * Its document grows large and no caller waits for it: while messages come in quick succession, a
   * turn waits for more of them, so that the document is written once for many. Default: false.
   */
  gathers?: boolean;
  index(context: Context, value: unknown, isQuarantined: boolean): IndexFields;
  /** Whether the actor in this state value has ended: its address may be created again. */
  isOver(value: unknown): boolean;
  /** Why the command is refused in this state, as the end of "job/x ..."; undefined: no reason. */
  refusal(context: Context, value: unknown, event: Event): string | undefined;
}
