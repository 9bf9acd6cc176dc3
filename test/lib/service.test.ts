/** The supervisor: services start in order, stop in reverse, and are given up after failures. */
import { describe, expect, test } from 'bun:test';
import { createSupervisor, type Service, type SupervisorLog } from '../../src/lib/service.ts';
import { createManualClock } from '../support/manual-clock.ts';

function aSupervisor(...services: Service[]) {
  const clock = createManualClock();
  const logged: SupervisorLog[] = [];
  const supervisor = createSupervisor({ services, clock, log: line => logged.push(line) });
  return { clock, logged, supervisor };
}

/** Serves until it is stopped, and notes both in `events`. */
function aService(name: string, events: string[], rest: Partial<Service> = {}): Service {
  return {
    name,
    graceMs: 1_000,
    async run(signal, ready) {
      events.push(`${name} starts`);
      ready();
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
      events.push(`${name} stops`);
    },
    ...rest,
  };
}

describe('a supervisor', () => {
  test('a supervisor starts each service once the one before is ready', async () => {
    const events: string[] = [];
    const opened = Promise.withResolvers<void>();
    const slow = aService('slow', events);
    const { supervisor, clock } = aSupervisor(
      {
        ...slow,
        async run(signal, ready) {
          await opened.promise;
          await slow.run(signal, ready);
        },
      },
      aService('next', events),
    );
    const started = supervisor.start();
    await clock.settle();
    expect(events).toEqual([]);
    opened.resolve();
    await started;
    expect(events).toEqual(['slow starts', 'next starts']);
    await supervisor.stop();
  });

  test('a supervisor stops in reverse order, once however often it is asked', async () => {
    const events: string[] = [];
    const { supervisor } = aSupervisor(aService('first', events), aService('second', events));
    await supervisor.start();
    events.length = 0;
    expect(await Promise.all([supervisor.stop(), supervisor.stop()])).toEqual([[], []]);
    expect(events).toEqual(['second stops', 'first stops']);
  });

  test('a supervisor throws what the first failing service threw, after those before it were stopped', async () => {
    const events: string[] = [];
    const broken: Service = { name: 'broken', graceMs: 0, run: () => Promise.reject(new Error('no port is free')) };
    const { supervisor } = aSupervisor(aService('first', events), broken, aService('last', events));
    await expect(supervisor.start()).rejects.toThrow('no port is free');
    expect(events).toEqual(['first starts', 'first stops']);
  });

  test('a supervisor names the services that did not stop within their grace', async () => {
    const events: string[] = [];
    const stuck: Service = {
      name: 'stuck',
      graceMs: 500,
      run: (_, ready) => {
        ready();
        return new Promise(() => {});
      },
    };
    const { supervisor, clock, logged } = aSupervisor(aService('first', events), stuck);
    await supervisor.start();
    const stopped = supervisor.stop();
    await clock.advance(499);
    expect(events).toEqual(['first starts']);
    await clock.advance(1);
    expect(await stopped).toEqual(['stuck']);
    expect(events).toEqual(['first starts', 'first stops']);
    expect(logged.at(-1)?.text).toContain('stuck');
  });

  describe('of a service that fails', () => {
    const failing = (runs: { count: number }, restart: boolean): Service => ({
      name: 'flaky',
      graceMs: 0,
      restart,
      async run(_, ready) {
        runs.count += 1;
        ready();
        throw new Error('it broke');
      },
    });

    test('a supervisor of a service that fails runs it again, and gives it up when it fails too often', async () => {
      const runs = { count: 0 };
      const { supervisor, clock, logged } = aSupervisor(failing(runs, true));
      let reason: Error | undefined;
      void supervisor.gaveUp.then(error => {
        reason = error;
      });
      await supervisor.start();
      await clock.settle();
      expect(runs.count).toBe(1);
      await clock.advance(200);
      expect(runs.count).toBe(2);
      expect(reason).toBeUndefined();
      await clock.advance(60_000);
      expect(runs.count).toBe(6);
      expect(reason?.message).toContain('flaky');
      expect(reason?.message).toContain('it broke');
      expect(logged.filter(({ level }) => level === 'error').length).toBe(1);
      await supervisor.stop();
    });

    test('a supervisor of a service that fails gives it up at once where it may not be started again', async () => {
      const runs = { count: 0 };
      const { supervisor } = aSupervisor(failing(runs, false));
      await supervisor.start();
      expect((await supervisor.gaveUp).message).toContain('it broke');
      expect(runs.count).toBe(1);
      await supervisor.stop();
    });

    test('a supervisor of a service that fails does not run it again once it is stopped', async () => {
      const runs = { count: 0 };
      const { supervisor, clock } = aSupervisor(failing(runs, true));
      await supervisor.start();
      await clock.settle();
      await supervisor.stop();
      await clock.advance(60_000);
      expect(runs.count).toBe(1);
    });
  });
});
