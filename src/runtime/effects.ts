/**
 * Carries out, in the main thread, effects that partition workers cannot: entries of the ledger,
 * commands to agents, notifications.
 */

import type { NoticeEvent } from '../../actors/types.ts';
import { createGrowingDelay } from '../lib/backoff.ts';
import { createWriteQueue } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import { type Command, type Fence, STOP_REASON_MAX } from '../protocol/agent.ts';
import type { Ledger, Occurrence } from '../store/port.ts';
import { NoSuchActor, TurnFailed } from './errors.ts';
import { type Fleet, HostAway } from './fleet.ts';
import { LIMITS, STORE_RETRY } from './limits.ts';
import type { NoticeOrder, Notifier, OutputOrder } from './notifier.ts';
import type { Delivery } from './outbox.ts';
import type { CarryOrder } from './workers/messages.ts';

export interface Effects {
  /** Resolves once it is done or its target is away. Never rejects: it retries. */
  carry(order: CarryOrder): Promise<Delivery>;
  stop(): void;
}

export function createEffects({
  ledger,
  fleet,
  notifier,
  isAwaited,
  tell,
  clock,
  failed,
  again,
}: {
  ledger: Pick<Ledger, 'record'>;
  fleet: Fleet;
  notifier: Notifier;
  /** Whether its actor still waits for this round. */
  isAwaited(order: NoticeOrder): Promise<boolean>;
  /** Rejects where the actor has not committed it. */
  tell(to: string, event: NoticeEvent): Promise<unknown>;
  clock: Clock;
  failed(text: string, cause: unknown): void;
  /** The commands to this host may be tried again. */
  again(host: string): void;
}): Effects {
  /** Hosts whose commands are tried again soon. */
  const retrying = new Set<string>();
  let stopped = false;

  /** Entries of many jobs go to the store together; a failed write is repeated. */
  const waiting = createWriteQueue<{ entries: Occurrence[]; done(): void }>({
    schedule: run => run(),
    max: LIMITS.commitWrites,
    write,
  });

  async function write(batch: { entries: Occurrence[]; done(): void }[]): Promise<void> {
    const retry = createGrowingDelay(STORE_RETRY);
    while (!stopped) {
      try {
        await ledger.record(batch.flatMap(each => each.entries));
        for (const each of batch) each.done();
        return;
      } catch (error) {
        const retryMs = retry.next();
        failed(`the ledger did not take its entries; trying again in ${retryMs} ms`, error);
        await new Promise<void>(resolve => clock.after(retryMs, resolve));
      }
    }
  }

  function record(entries: Occurrence[]): Promise<Delivery> {
    return new Promise(resolve => {
      waiting.add({ entries, done: () => resolve('done') });
    });
  }

  /**
   * A connected host rejects a command and sends no signal when it takes more, so its lane is
   * retried after a while. One retry serves all commands of a host: one per command would multiply
   * them.
   */
  function retry(host: string, error: unknown): void {
    if (retrying.has(host)) return;
    retrying.add(host);
    failed(`a command to host ${host} could not be sent; trying again`, error);
    clock.after(LIMITS.storeRetryMs, () => {
      retrying.delete(host);
      again(host);
    });
  }

  async function command(host: string, order: Command): Promise<Delivery> {
    try {
      await fleet.send(host, order);
      return 'done';
    } catch (error) {
      if (error instanceof HostAway) return 'away';
      retry(host, error);
      return 'away';
    }
  }

  async function send(order: NoticeOrder): Promise<Delivery> {
    if (!(await isAwaited(order))) return 'done';
    const results = await notifier.send(order);
    if (results === null) return 'away';
    return report(order.from, { type: 'notice.answered', delivery: order.message.delivery, round: order.round, results });
  }

  async function readOutput(from: string, { delivery, ...order }: OutputOrder & { delivery: number }): Promise<Delivery> {
    const output = await notifier.readOutput(order);
    return output === undefined ? 'away' : report(from, { type: 'notice.outputRead', delivery, output });
  }

  /** Done once the actor has it; until then the effect is pending. */
  async function report(to: string, event: NoticeEvent): Promise<Delivery> {
    const retry = createGrowingDelay(STORE_RETRY);
    while (!stopped) {
      try {
        await tell(to, event);
        return 'done';
      } catch (error) {
        // A message that fails is among the dead letters of its actor.
        if (error instanceof NoSuchActor || error instanceof TurnFailed) return 'done';
        await new Promise<void>(resolve => clock.after(retry.next(), resolve));
      }
    }
    return 'away';
  }

  return {
    carry({ from, key, partition, epoch, rev, effect }) {
      const fence: Fence = { partition, epoch, rev };
      switch (effect.type) {
        case 'record':
          return record(effect.params.entries);
        case 'start':
          return command(effect.params.host, { type: 'start', key, fence, run: effect.params.run, spec: effect.params.spec });
        case 'stop': {
          const { host, run, as, reason } = effect.params;
          return command(host, { type: 'stop', key, fence, run, as, reason: reason.slice(0, STOP_REASON_MAX) });
        }
        case 'closeSession':
          fleet.closeSession(effect.params.host, effect.params.code, effect.params.reason);
          again(effect.params.host);
          return Promise.resolve('done');
        case 'send':
          return send({ from, ...effect.params });
        case 'readOutput':
          return readOutput(from, effect.params);
      }
    },
    stop() {
      stopped = true;
    },
  };
}
