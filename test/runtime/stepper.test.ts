/** Steps of a machine equal those of XState's public functions. */
import { describe, expect, test } from 'bun:test';
import { type AnyStateMachine, assign, createMachine, emit, initialTransition, log, raise, sendTo, setup, transition } from 'xstate';
import manifest from 'xstate/package.json' with { type: 'json' };
import { interpret, NotGranted } from '../../src/runtime/actions.ts';
import { createStepper } from '../../src/runtime/stepper.ts';

const base = setup({
  types: { context: {} as { count: number; begun: number }, input: {} as { from: number }, events: {} as { type: string; by?: number } },
  actions: { tell: (_, _params: { to: string }) => {}, answer: (_, _params: { value: unknown }) => {} },
  guards: { isFew: ({ context }) => context.count < 3 },
});
/** One of everything that a durable actor may use. */
const machine = base.createMachine({
  id: 'sample',
  context: ({ input }) => ({ count: input.from, begun: 1 }),
  entry: { type: 'tell', params: { to: 'somebody' } },
  initial: 'low',
  states: {
    low: {
      after: { 5000: 'high' },
      on: {
        add: {
          guard: 'isFew',
          actions: [
            base.assign({ count: ({ context, event }) => context.count + (event.by ?? 1) }),
            emit({ type: 'added', how: 'by hand' } as never),
          ],
        },
        up: { target: 'high', actions: base.raise({ type: 'down' }, { delay: 700, id: 'later' }) },
        both: { actions: [base.raise({ type: 'add' }), { type: 'answer', params: { value: 7 } }] },
      },
    },
    high: {
      entry: base.enqueueActions(({ enqueue, context }) => {
        enqueue({ type: 'tell', params: { to: `n${context.count}` } });
      }),
      on: { down: { target: 'low', actions: base.cancel('later') }, end: 'over' },
    },
    over: { type: 'final' },
  },
});
const stepper = createStepper(machine);
const plain = (actions: { type: string; params?: unknown }[]) => actions.map(({ type, params }) => ({ type, params }));

describe('a step', () => {
  test('a step needs exactly this version of xstate', () => {
    expect(manifest.version).toBe('5.33.3');
  });

  test('a step gives what the public functions of xstate give, on any way through the machine', () => {
    const events = [
      { type: 'add', by: 2 },
      { type: 'both' },
      { type: 'add' },
      { type: 'nonsense' },
      { type: 'up' },
      { type: 'down' },
      { type: 'up' },
      { type: 'end' },
      { type: 'add' },
    ];
    let ours = stepper.begin({ from: 0 });
    let theirs = initialTransition(machine, { from: 0 });
    expect(plain(ours.actions)).toEqual(plain(theirs[1]));
    for (const event of events) {
      ours = stepper.step(ours.snapshot, event);
      theirs = transition(machine, theirs[0], event);
      expect(stepper.persist(ours.snapshot)).toEqual(machine.getPersistedSnapshot(theirs[0]));
      expect(plain(ours.actions)).toEqual(plain(theirs[1]));
    }
    expect(ours.snapshot.status).toBe('done');
  });

  test('a step goes on from a snapshot that was stored as from one in memory', () => {
    const begun = stepper.step(stepper.begin({ from: 0 }).snapshot, { type: 'add' }).snapshot;
    const stored = stepper.restore(JSON.parse(JSON.stringify(stepper.persist(begun))));
    const [a, b] = [begun, stored].map(snapshot => stepper.step(snapshot, { type: 'up' }));
    expect(plain(b?.actions ?? [])).toEqual(plain(a?.actions ?? []));
  });

  test('a step runs the context factory at creation only', () => {
    let births = 0;
    const counted = createMachine({ context: () => ({ births: ++births }), on: { poke: { actions: assign({}) } } });
    const other = createStepper(counted);
    const before = births;
    const { snapshot } = other.begin({});
    other.step(other.step(snapshot, { type: 'poke' }).snapshot, { type: 'poke' });
    expect(births).toBe(before + 1);
  });

  test('a step reports when it changed nothing', () => {
    const { snapshot } = stepper.begin({ from: 3 });
    expect(stepper.step(snapshot, { type: 'add' }).changed).toBe(false);
    expect(stepper.step(snapshot, { type: 'nonsense' }).changed).toBe(false);
    expect(stepper.step(snapshot, { type: 'up' }).changed).toBe(true);
    expect([stepper.can(snapshot, { type: 'add' }), stepper.can(snapshot, { type: 'up' })]).toEqual([false, true]);
  });

  test('a step that throws leaves the snapshot as it was', () => {
    const angry = createStepper(
      createMachine({
        context: { n: 0 },
        on: {
          go: {
            actions: assign(() => {
              throw new Error('no');
            }),
          },
        },
      }),
    );
    const { snapshot } = angry.begin({});
    expect(() => angry.step(snapshot, { type: 'go' })).toThrow('no');
    expect(snapshot.context).toEqual({ n: 0 });
  });

  test('a step that cannot create its actor throws what the factory threw', () => {
    const stillborn = createStepper(
      createMachine({
        context: () => {
          throw new Error('no input');
        },
      }),
    );
    expect(() => stillborn.begin({})).toThrow('no input');
  });

  test('a step from a state that the machine does not have cannot be begun', () => {
    expect(() => stepper.restore({ status: 'active', value: 'nowhere', context: {}, children: {}, historyValue: {} })).toThrow();
  });
});

describe('the actions of a step', () => {
  const at = 1_000_000;
  const planOf = (event: { type: string }, from = stepper.begin({ from: 0 }).snapshot) => interpret(stepper.step(from, event), at);

  test('the actions of a step become effects, facts, an answer', () => {
    expect(interpret(stepper.begin({ from: 0 }), at).effects).toEqual([{ type: 'tell', params: { to: 'somebody' } }] as never);
    expect(planOf({ type: 'add' }).facts).toEqual([{ type: 'added', data: { how: 'by hand' } }]);
    expect(planOf({ type: 'both' })).toMatchObject({ answer: { value: 7 }, facts: [{ type: 'added' }] });
  });

  test('the actions of a step become timers with absolute instants, and their ends', () => {
    expect(interpret(stepper.begin({ from: 0 }), at).timers).toMatchObject([{ set: { dueAt: at + 5_000 } }]);
    const up = stepper.step(stepper.begin({ from: 0 }).snapshot, { type: 'up' });
    const after = 'xstate.after.5000.sample.low';
    expect(interpret(up, at).timers).toEqual([{ cancel: after }, { set: { id: 'later', dueAt: at + 700, event: { type: 'down' } } }]);
    expect(planOf({ type: 'down' }, up.snapshot).timers).toEqual([
      { cancel: 'later' },
      { set: { id: after, dueAt: at + 5_000, event: { type: after } } },
    ]);
  });

  test('the actions of a step that were raised without a delay are not done again', () => {
    expect(planOf({ type: 'both' }).timers).toEqual([]);
  });

  const child = createMachine({});
  const refused: [string, AnyStateMachine][] = [
    ['a child by invoke', createMachine({ invoke: { src: child, id: 'c' } })],
    ['a child by spawn', setup({ actors: { child } }).createMachine({ context: ({ spawn }) => ({ ref: spawn('child') }) })],
    [
      'a child by spawn in assign',
      setup({ actors: { child } }).createMachine({ context: {}, entry: assign(({ spawn }) => ({ ref: spawn('child') })) }),
    ],
    ['an action given inline', createMachine({ entry: () => {} })],
    ['an inline action that is called like an effect', createMachine({ entry: function tell() {} })],
    ['a message to another machine', createMachine({ entry: sendTo(({ self }) => self, { type: 'x' }) })],
    ['a log line', createMachine({ entry: log('hello') })],
    ['an effect nobody grants', createMachine({ entry: { type: 'launch', params: {} } })],
  ];
  test.each(refused)('the actions of a step are refused: %s', (_, wild) => {
    expect(() => interpret(createStepper(wild).begin({}), at)).toThrow(NotGranted);
  });

  test('the actions of a step that are granted may be raised later in any number', () => {
    const clocks = createStepper(
      createMachine({ entry: [raise({ type: 'a' }, { delay: 0, id: 'a' }), raise({ type: 'b' }, { delay: 2 ** 40, id: 'b' })] }),
    );
    expect(interpret(clocks.begin({}), at).timers).toEqual([
      { set: { id: 'a', dueAt: at, event: { type: 'a' } } },
      { set: { id: 'b', dueAt: at + 2 ** 40, event: { type: 'b' } } },
    ]);
  });
});
