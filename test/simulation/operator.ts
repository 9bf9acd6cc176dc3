/**
 * The client: its connection may break. It records acknowledged commands, and checks at once that
 * the center keeps them (I1).
 */
import type { JobConfig } from '../../actors/job/types.ts';
import type { Address, Events, Kind } from '../../actors/types.ts';
import { Busy, NoSuchActor, Refused, Unavailable } from '../../src/runtime/errors.ts';
import { anApp } from '../support/builders.ts';
import { Gone, type SimulatedCenter } from './center.ts';
import type { Random } from './random.ts';
import type { SimulatedSystem } from './system.ts';
import { stateOf, type Truth } from './truth.ts';
import type { Act, Workload } from './workload.ts';

export interface Operator {
  /** Plans the whole workload. */
  begin(): void;
  /**
   * Ends the story: hosts and apps are taken back into service, every job is disabled. Repeats
   * until it is acknowledged.
   */
  wind(kill: boolean): void;
  /** Everything that was wanted for certain has been acknowledged. */
  readonly isDone: boolean;
}

type Answer = 'acknowledged' | 'refused' | 'unknown';

/** For each command the fact of its commit, and what may be so already. */
const COMMITTED: Record<string, { fact: string; already?: string }> = {
  'app.publish': { fact: 'app.published' },
  'app.modify': { fact: 'app.modified' },
  'app.enable': { fact: 'app.enabled', already: 'enabled' },
  'app.disable': { fact: 'app.disabled', already: 'disabled' },
  'job.register': { fact: 'job.registered' },
  'job.update': { fact: 'job.updated' },
  'job.enable': { fact: 'job.enabled', already: 'enabled' },
  'job.disable': { fact: 'job.disabled', already: 'disabled' },
  'job.deregister': { fact: 'job.deregistering', already: 'deleting' },
  'execution.cancel': { fact: 'execution.cancelling', already: 'cancelling' },
  'host.drain': { fact: 'host.draining', already: '' },
  'host.resume': { fact: 'host.ready', already: '' },
  'host.retire': { fact: 'host.retired', already: 'retired' },
  'pool.modify': { fact: 'pool.modified' },
};

type Checked = Pick<Parameters<typeof createOperator>[0], 'system' | 'truth'>;

/** A start that is acknowledged found no execution open. */
function checkStarted({ system, truth }: Checked, job: string, execution: string): void {
  let open = 0;
  for (const { type, data } of truth.factsOf(job)) {
    if (type === 'job.triggered' && data.execution === execution) {
      if (open > 0 || data.joined === true) system.fail('start', `${job} started ${execution} while ${open} executions were open`);
      return;
    }
    if (type === 'job.fired' || (type === 'job.triggered' && data.joined === false)) open += 1;
    if (type === 'job.finished') open -= 1;
  }
}

/** A stop that is acknowledged ends each execution that was open before it. */
function checkKilled({ system, truth }: Checked, job: string, before: readonly { id: string }[]): void {
  const pending = truth.read(job)?.pendingEffects ?? '';
  for (const { id } of before) {
    const isEnding = truth.factsOf(`execution/${id}`).some(({ type }) => type === 'execution.cancelling' || type === 'execution.finished');
    if (!isEnding && !pending.includes(`execution/${id}`)) system.fail('stop', `${job} acknowledged the stop, and ${id} goes on`);
  }
}

export function createOperator(parts: {
  system: SimulatedSystem;
  center: SimulatedCenter;
  truth: Truth;
  workload: Workload;
  random: Random;
}): Operator {
  const { system, center, truth, workload, random } = parts;
  const { time } = system;
  let wanted = 0;
  const answers = new Map<string, string>();

  async function ask<K extends Kind>(to: Address<K>, event: Events[K]): Promise<Answer> {
    const revBefore = truth.read(to)?.rev ?? 0;
    const valueBefore = JSON.stringify(stateOf(truth, to)?.value ?? null);
    const openBefore = (stateOf(truth, to)?.context.open ?? []) as { id: string }[];
    try {
      const value = await center.ask(to, event);
      system.note('operator', () => `${to} ${event.type}: ${JSON.stringify(value) ?? 'done'}`);
      if (event.type === 'job.kill') checkKilled(parts, to, openBefore);
      else reflected(to, event, value, revBefore, valueBefore);
      return 'acknowledged';
    } catch (problem) {
      system.note('operator', () => `${to} ${event.type}: ${String(problem)}`);
      if (problem instanceof Refused || problem instanceof NoSuchActor) return 'refused';
      if (problem instanceof Gone || problem instanceof Unavailable || problem instanceof Busy) return 'unknown';
      system.fail('operator', `${to} ${event.type} was answered ${String(problem)}`);
      return 'unknown';
    }
  }

  function reflected(
    to: string,
    event: { type: string; key?: string; onlyIdle?: boolean },
    value: unknown,
    revBefore: number,
    valueBefore: string,
  ): void {
    const facts = truth.factsOf(to);
    const known = COMMITTED[event.type];
    if (known) {
      const isThere = facts.some(fact => fact.rev > revBefore && fact.type === known.fact);
      // Before the question, or by a command that was under way when it came.
      const valueNow = JSON.stringify(stateOf(truth, to)?.value ?? null);
      const wasSo = known.already !== undefined && (valueBefore.includes(known.already) || valueNow.includes(known.already));
      if (!isThere && !wasSo) system.fail('I1', `${to} acknowledged "${event.type}", and no commit has it`);
      return;
    }
    const { execution } = value as { execution: string };
    const isThere = facts.some(fact => fact.data.execution === execution && (fact.type === 'job.triggered' || fact.type === 'job.fired'));
    if (!isThere) system.fail('I1', `${to} named execution ${execution}, and no commit has it`);
    if (event.onlyIdle) checkStarted(parts, to, execution);
    if (event.key === undefined) return;
    const program = facts.filter(fact => fact.type === 'job.registered').length;
    const key = `${to} ${program} ${event.key}`;
    const before = answers.get(key) ?? execution;
    answers.set(key, before);
    if (before !== execution) system.fail('I1', `${to} answered key ${event.key} with ${before} and later with ${execution}`);
  }

  /** Until it is certain: refused counts, because then it is so already or cannot be. */
  async function insist<K extends Kind>(to: Address<K>, event: Events[K]): Promise<void> {
    wanted += 1;
    while ((await ask(to, event)) === 'unknown') await new Promise<void>(resolve => time.after(random.between(200, 900), resolve));
    wanted -= 1;
  }

  const register = (config: JobConfig) => ask(`job/${config.name}`, { type: 'job.register', config });

  function act(one: Act): Promise<unknown> {
    switch (one.do) {
      case 'trigger':
        if (one.key === undefined) return ask(`job/${one.job}`, { type: 'job.trigger' });
        // With a key the answer names the same execution.
        return askUntilAnswered(() => ask(`job/${one.job}`, { type: 'job.trigger', key: one.key as string }));
      case 'cancel':
        return cancel(one.job, one.nth);
      case 'retry': {
        const execution = stateOf(truth, `job/${one.job}`)?.context.lastExecution;
        return typeof execution === 'string' ? ask(`job/${one.job}`, { type: 'job.retry', execution }) : Promise.resolve();
      }
      case 'disable':
        return ask(`job/${one.job}`, { type: 'job.disable', kill: one.kill });
      case 'enable':
        return ask(`job/${one.job}`, { type: 'job.enable' });
      case 'update':
        return ask(`job/${one.job}`, { type: 'job.update', config: one.config });
      case 'deregister':
        return askUntilAnswered(() => ask(`job/${one.job}`, { type: 'job.deregister' }));
      case 'register':
        return register(one.config);
      case 'appModify':
        return ask(`app/${one.app}`, { type: 'app.modify', changes: { description: `changed at ${time.now()}` } });
      case 'appDisable':
        return ask(`app/${one.app}`, { type: 'app.disable', kill: one.kill });
      case 'appEnable':
        return ask(`app/${one.app}`, { type: 'app.enable' });
      case 'start':
        return ask(`job/${one.job}`, { type: 'job.trigger', onlyIdle: true });
      case 'stop':
        return askUntilAnswered(() => ask(`job/${one.job}`, { type: 'job.kill', reason: 'stopped by the operator' }));
      case 'servers':
        return ask('pool/default', { type: 'pool.modify', changes: { servers: one.servers } });
      case 'drain':
      case 'resume':
      case 'retire':
        return each('host', async (address, context) => {
          if (context.name === `h${one.host}`) await ask(address as `host/${string}`, { type: `host.${one.do}` });
        });
    }
  }

  /** A client that got no answer asks again a few times, and then lets it be. */
  async function askUntilAnswered(question: () => Promise<Answer>): Promise<void> {
    for (let tries = 0; tries < 4; tries++) {
      if ((await question()) !== 'unknown') return;
      await new Promise<void>(resolve => time.after(random.between(100, 2_000), resolve));
    }
  }

  function cancel(job: string, nth: number): Promise<void> {
    const open = (stateOf(truth, `job/${job}`)?.context.open ?? []) as { id: string }[];
    const one = open[nth % Math.max(1, open.length)];
    if (!one) return Promise.resolve();
    return askUntilAnswered(() => ask(`execution/${one.id}`, { type: 'execution.cancel', reason: 'the operator wants it so' }));
  }

  async function each(kind: Kind, work: (address: string, context: Record<string, unknown>) => Promise<void>): Promise<void> {
    const all = [...truth.addresses].filter(address => address.startsWith(`${kind}/`));
    await Promise.all(all.map(address => work(address, stateOf(truth, address)?.context ?? {})));
  }

  return {
    begin() {
      for (const name of workload.apps) {
        time.after(50, () => void insist(`app/${name}`, { type: 'app.publish', config: anApp({ name, command: ['work'] }) }));
      }
      for (const { config, registerAtMs } of workload.jobs) {
        time.after(registerAtMs, () => void insist(`job/${config.name}`, { type: 'job.register', config }));
      }
      for (const one of workload.acts) time.after(one.atMs, () => void act(one));
    },
    wind(kill) {
      void insist('pool/default', { type: 'pool.modify', changes: { servers: [] } });
      void each('host', address => insist(address as `host/${string}`, { type: 'host.resume' }));
      void each('app', address => insist(address as `app/${string}`, { type: 'app.enable' }));
      void each('job', address => insist(address as `job/${string}`, { type: 'job.disable', kill }));
    },
    get isDone() {
      return wanted === 0;
    },
  };
}
