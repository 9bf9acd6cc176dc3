/**
 * The only file that uses XState's `ActorScope`. A step is `machine.transition(snapshot, event,
 * scope)` with a scope of our own: two to three times faster than the public `transition()`, which
 * builds a throw-away actor (and runs the context factory) at every step. The returned actions are
 * data; `actions.ts` reads them. Leans on the exported shape of `ActorScope`, so the version of
 * xstate is pinned and `test/runtime/stepper.test.ts` holds it.
 */
import { type AnyActorScope, type AnyMachineSnapshot, type AnyStateMachine, createActor } from 'xstate';

/** An action as a step leaves it. */
interface PlannedAction {
  type: string;
  params: unknown;
}

export interface Step {
  snapshot: AnyMachineSnapshot;
  actions: PlannedAction[];
  /** False without action, change of context or state: then there is nothing to write. */
  changed: boolean;
}

export interface Stepper {
  /** The first step of an incarnation. Rethrows the error of the context factory or an action. */
  begin(input: unknown): Step;
  /** Rethrows the error of a guard or an action; the given snapshot stays valid. */
  step(snapshot: AnyMachineSnapshot, event: { type: string }): Step;
  /** Would this event do anything? Guards are asked. */
  can(snapshot: AnyMachineSnapshot, event: { type: string }): boolean;
  persist(snapshot: AnyMachineSnapshot): unknown;
  /** Consumes `persisted` (XState revives it in place). Throws on an unknown state value. */
  restore(persisted: unknown): AnyMachineSnapshot;
}

export function createStepper(machine: AnyStateMachine): Stepper {
  // One inert actor per machine gives the scope its `self` and `system`; it is never started.
  const inert = createActor(machine);
  let collected: PlannedAction[] = [];
  const scope: AnyActorScope = {
    self: inert,
    system: inert.system,
    id: machine.id,
    sessionId: 'durable',
    logger: () => {},
    defer: () => {},
    emit: () => {},
    stopChild: () => {},
    actionExecutor: action => {
      collected.push({ type: action.type, params: action.params });
    },
  };

  function run(take: () => AnyMachineSnapshot, before: AnyMachineSnapshot | undefined): Step {
    collected = [];
    const snapshot = take();
    // The initial step catches an error and returns it as a status.
    if (snapshot.status === 'error') throw (snapshot as { error: unknown }).error;
    return { snapshot, actions: collected, changed: before === undefined || collected.length > 0 || !sameState(before, snapshot) };
  }

  return {
    begin: input => run(() => machine.getInitialSnapshot(scope, input as never) as AnyMachineSnapshot, undefined),
    step: (snapshot, event) => run(() => machine.transition(snapshot, event, scope) as AnyMachineSnapshot, snapshot),
    can: (snapshot, event) => snapshot.status === 'active' && snapshot.can(event),
    persist: snapshot => (isPlain(snapshot) ? plainly(snapshot) : machine.getPersistedSnapshot(snapshot as never)),
    restore: persisted => machine.restoreSnapshot(persisted as never, scope) as AnyMachineSnapshot,
  };
}

const sameState = (before: AnyMachineSnapshot, after: AnyMachineSnapshot): boolean =>
  before === after ||
  (before.context === after.context && before.status === after.status && JSON.stringify(before.value) === JSON.stringify(after.value));

/**
 * Durable actors have no children, and without history states nothing in a snapshot needs XState's
 * own persisting, which walks the whole context in search of actor references. The shape is that of
 * `getPersistedSnapshot`; the contract test compares the two.
 */
const isPlain = (snapshot: AnyMachineSnapshot): boolean =>
  Object.keys(snapshot.children).length === 0 && Object.keys(snapshot.historyValue).length === 0;

const plainly = ({ status, output, error, value, context }: AnyMachineSnapshot): unknown => ({
  status,
  output,
  error,
  value,
  context,
  historyValue: {},
  children: {},
});
