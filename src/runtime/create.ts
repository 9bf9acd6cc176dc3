/** Builds the runtime: the two doors on this side, a set of partitions on the other, messages between them. */
import type { Address, Events, Kind } from '../../actors/index.ts';
import type { Clock } from '../clock.ts';
import type { Ids } from '../ids.ts';
import type { ActorStore, Ledger, PlacedFact } from '../store/store.ts';
import type { FromPartitions, Question, ToPartitions } from './boundary.ts';
import { createEffects } from './effects.ts';
import type { Taken } from './envelope.ts';
import { Busy, NoSuchActor, Refused, TurnFailed, Unavailable } from './errors.ts';
import type { Fleet } from './fleet.ts';
import { createPartitions } from './partitions.ts';
import type { Runtime } from './runtime.ts';

export interface RuntimeLog {
  level: 'info' | 'warn' | 'error';
  address: string;
  text: string;
  cause?: string;
}

export function createRuntime({
  store,
  clock,
  ids,
  fleet,
  owner,
  log,
}: {
  store: ActorStore & Pick<Ledger, 'record'>;
  clock: Clock;
  ids: Ids;
  fleet: Fleet;
  /** Names this center in the store. */
  owner: string;
  log(line: RuntimeLog): void;
}): Runtime {
  const asked = new Map<number, { question: Question; resolve(value: unknown): void; reject(error: Error): void }>();
  const questions: Question[] = [];
  let lastId = 0;
  let listener: (facts: PlacedFact[]) => void = () => {};
  let onStarted: { resolve(): void; reject(error: Error): void } | null = null;
  let onStopped: ((left: string[]) => void) | null = null;

  const effects = createEffects({
    ledger: store,
    fleet,
    clock,
    failed: (text, cause) => log({ level: 'warn', address: 'effects', text, cause: String(cause) }),
    again: host => post({ type: 'hostReady', host }),
  });
  const partitions = createPartitions({ store, clock, ids, owner, send: receive });
  const post = (message: ToPartitions) => partitions.receive(message);
  fleet.onReady(host => post({ type: 'hostReady', host }));

  function receive(message: FromPartitions): void {
    switch (message.type) {
      case 'started':
        onStarted?.resolve();
        break;
      case 'startFailed':
        onStarted?.reject(new Unavailable(`the partitions could not be taken over: ${message.reason}`));
        break;
      case 'answers':
        for (const { id, taken } of message.answers) answer(id, taken);
        break;
      case 'carry':
        for (const order of message.orders) {
          void effects.carry(order).then(delivery => post({ type: 'carried', items: [{ id: order.id, delivery }] }));
        }
        break;
      case 'facts':
        listener(message.facts);
        break;
      case 'log':
        log(message);
        break;
      case 'stopped':
        onStopped?.(message.left);
        break;
    }
  }

  function answer(id: number, taken: Taken): void {
    const waiting = asked.get(id);
    if (!waiting) return;
    asked.delete(id);
    if (taken.result === 'done') waiting.resolve(taken.value);
    else waiting.reject(errorOf(waiting.question, taken));
  }

  function question(kind: Question['kind'], to: string, event: { type: string }): Promise<unknown> {
    lastId += 1;
    const asking: Question = { id: lastId, to, kind, event };
    return new Promise((resolve, reject) => {
      asked.set(asking.id, { question: asking, resolve, reject });
      // What is asked within one tick crosses the boundary together.
      if (questions.push(asking) === 1) queueMicrotask(cross);
    });
  }

  function cross(): void {
    if (questions.length > 0) post({ type: 'questions', questions: questions.splice(0) });
  }

  return {
    ask: <K extends Kind>(to: Address<K>, event: Events[K]) => question('ask', to, event),
    tell: async <K extends Kind>(to: Address<K>, event: Events[K]) => void (await question('tell', to, event)),
    release: async address => void (await question('release', address, { type: 'actor.release' })),
    onFacts(next) {
      listener = next;
    },
    start: () =>
      new Promise((resolve, reject) => {
        onStarted = { resolve, reject };
        post({ type: 'start' });
      }),
    arm: () => post({ type: 'arm' }),
    stop: graceMs =>
      new Promise(resolve => {
        onStopped = left => {
          effects.stop();
          resolve(left);
        };
        // What was asked before comes before.
        cross();
        post({ type: 'stop', graceMs });
      }),
  };
}

function errorOf(question: Question, taken: Exclude<Taken, { result: 'done' }>): Error {
  switch (taken.result) {
    case 'refused':
      return new Refused(question.to, question.event.type, taken.reason, taken.code);
    case 'noSuchActor':
      return new NoSuchActor(question.to);
    case 'busy':
      return new Busy(`${question.to} has too many messages waiting; try again later`);
    case 'unavailable':
      return new Unavailable(`nothing can be committed now: ${taken.reason}`);
    case 'failed':
      return new TurnFailed(taken.reason);
  }
}
