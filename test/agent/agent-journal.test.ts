/** The agent's journal over crashes, slow disks and full disks. */
import { describe, expect, test } from 'bun:test';
import { JOURNAL, openJournal, RESERVE } from '../../src/agent/journal.ts';
import { AGENT_JOURNAL } from '../../src/agent/journal-lines.ts';
import { agentLimits } from '../../src/agent/limits.ts';
import { keyOfRun } from '../../src/protocol/agent.ts';
import { aDisk, anAgentSetup, anArtifact, aRun, aStart, aStop } from './agent-setup.ts';

const KEY = keyOfRun(aRun());
const app = { spec: { artifact: anArtifact } };
const log = { debug() {}, info() {}, warn() {}, error() {} };

describe('a crash of the agent', () => {
  /** Events of two runs. Every call that changes the disk is a crash point. */
  const story = async (world: ReturnType<typeof anAgentSetup>) => {
    const second = aRun({ item: 1 });
    await world.send(aStart(app));
    await world.send(aStart({ run: second }));
    if (world.keeper.runs.get(KEY)?.state === 'running') world.keeper.end(KEY, { exitCode: 3 });
    await world.clock.settle();
    await world.send(aStop({ run: second }));
    await world.clock.settle();
  };
  /** A center repeats commands until they are acknowledged. */
  const owe = async (world: ReturnType<typeof anAgentSetup>) => {
    const second = aRun({ item: 1 });
    for (const command of [aStart(app), aStart({ run: second }), aStop({ run: second })]) {
      if (!world.acknowledged().includes(command.key)) await world.send(command);
    }
    if (world.keeper.runs.get(KEY)?.state === 'running') world.keeper.end(KEY, { exitCode: 3 });
    await world.clock.advance(5_000);
  };

  const calls = async () => {
    const world = anAgentSetup();
    await world.start();
    await story(world);
    await world.quit();
    return world.disk.calls;
  };

  test.each(['before', 'after', 'torn'] as const)(
    'a crash of the agent %s any write starts no run twice and loses no report',
    async when => {
      const total = await calls();
      expect(total).toBeGreaterThan(8);
      for (let at = 1; at <= total; at++) {
        const world = anAgentSetup();
        world.disk.crash = { at, when };
        await world.start();
        await story(world);
        world.disk.crash = undefined;
        await world.kill();
        await world.start();
        await owe(world);
        const where = `crash ${when} call ${at} of ${total}`;
        expect([where, ...new Set(world.keeper.processes)]).toEqual([where, ...world.keeper.processes]);
        const ends = new Map(world.ends().map(end => [keyOfRun(end.run), `${end.outcome} ${end.exitCode ?? ''}`]));
        expect([where, ends.get(KEY), ends.get(keyOfRun(aRun({ item: 1 })))]).toEqual([where, 'failed 3', 'cancelled ']);
        expect([where, world.keeper.runs.size, world.workDirs.size]).toEqual([where, 0, 0]);
        await world.quit();
      }
    },
  );

  test('a crash of the agent between a promise and its start keeps the promise', async () => {
    const world = anAgentSetup();
    await world.start();
    world.disk.crash = { at: world.disk.calls + 2, when: 'before' };
    await world.send(aStart(app));
    expect(world.keeper.processes).toEqual([]);
    await world.kill();
    world.disk.crash = undefined;
    await world.start();
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });

  test('row 4: a crash of the agent before the promise is durable leaves it unsent', async () => {
    const world = anAgentSetup();
    await world.start();
    world.disk.crash = { at: world.disk.calls + 1, when: 'before' };
    await world.send(aStart());
    expect(world.acknowledged()).toEqual([]);
    expect(world.keeper.processes).toEqual([]);
    await world.kill();
  });
});

describe('a slow disk', () => {
  const hold = (world: ReturnType<typeof anAgentSetup>) => {
    let release = () => {};
    world.disk.held = new Promise(resolve => {
      release = () => {
        world.disk.held = undefined;
        resolve();
      };
    });
    return async () => {
      release();
      await world.clock.settle();
    };
  };

  test('a slow disk holds up the acknowledgement and the start', async () => {
    const world = anAgentSetup();
    await world.start();
    const release = hold(world);
    await world.send(aStart());
    await world.send(aStart());
    expect([world.acknowledged(), world.keeper.processes]).toEqual([[], []]);
    await release();
    expect([world.acknowledged(), world.keeper.processes]).toEqual([[aStart().key, aStart().key], [KEY]]);
    await world.quit();
  });

  test('a slow disk holds up the report, and the keeper deletes nothing', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    const release = hold(world);
    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.settle();
    expect([world.ends(), world.keeper.removed]).toEqual([[], []]);
    await release();
    expect([world.ends().length, world.keeper.removed]).toEqual([1, [KEY]]);
    await world.quit();
  });

  test('a slow disk holds up the acknowledgement of a stop', async () => {
    const world = anAgentSetup();
    await world.start();
    const release = hold(world);
    await world.send(aStop());
    expect([world.acknowledged(), world.ends()]).toEqual([[], []]);
    await release();
    expect(world.acknowledged()).toEqual([aStop().key]);
    await world.quit();
  });
});

describe('row 13: a full disk', () => {
  test('an agent on a full disk refuses starts with a reason, and still reports what runs', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.disk.full = true;
    const run = aRun({ item: 1 });
    await world.send(aStart({ run }));
    expect(world.ends()).toMatchObject([{ run, outcome: 'failed' }]);
    expect(world.ends()[0]?.reason).toContain('no space left on device');
    expect(world.acknowledged()).toHaveLength(2);
    expect(world.disk.files.has(RESERVE)).toBe(false);
    expect(world.keeper.processes).toEqual([KEY]);

    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.advance(5_000);
    world.disk.full = false;
    await world.clock.advance(60_000);
    expect(world.ends()).toMatchObject([{ run }, { run: aRun(), outcome: 'succeeded' }]);
    expect(world.disk.files.has(RESERVE)).toBe(true);
    await world.quit();
  });

  test('an agent whose disk lacks even the reserve refuses starts, and acknowledges them only once the center has the reason', async () => {
    const world = anAgentSetup();
    world.disk.full = true;
    world.center.eager = false;
    await world.start();
    await world.send(aStart());
    expect(world.ends()).toMatchObject([{ outcome: 'failed' }]);
    expect(world.acknowledged()).toEqual([]);
    await world.send(aStart());
    await world.send({ type: 'reportsAcknowledged', ids: world.ends().map(end => end.id) });
    expect(world.acknowledged()).toEqual([aStart().key]);
    world.disk.full = false;
    await world.send(aStart());
    expect(world.keeper.processes).toEqual([]);
    await world.quit();
  });

  test('a full disk does not keep a stop from ending its run', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.disk.files.delete(RESERVE);
    world.disk.full = true;
    await world.send(aStop());
    expect(world.keeper.stops).toHaveLength(1);
    world.disk.full = false;
    await world.clock.advance(10_000);
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled' }]);
    await world.quit();
  });
});

describe('the journal', () => {
  const open = (disk: ReturnType<typeof aDisk>, limits = {}) =>
    openJournal({ disk: disk.port({ alive: true }), limits: { ...agentLimits, ...limits }, log, now: 0 });
  const record = { run: aRun(), fence: aStart().fence, bootId: 'b', at: 0 };

  test('the journal is written anew once enough was added, with the same content', async () => {
    const disk = aDisk();
    const journal = await open(disk, { journalAppendMax: 2_000 });
    await journal.write([{ run: KEY, set: record }, { epoch: [7, 3] }, { joined: true }]);
    for (let seq = 1; seq <= 200; seq++) await journal.write([{ run: KEY, set: { outputAcknowledged: seq } }]);
    expect(disk.files.get(JOURNAL)?.length).toBeLessThan(3_000);
    const again = await open(disk);
    expect(again.records.get(KEY)).toMatchObject({ ...record, outputAcknowledged: 200 });
    expect([again.epoch(7), again.epoch(8), again.joined]).toEqual([3, -1, true]);
  });

  test('the journal shares one write among the records of one tick', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    const before = disk.calls;
    await Promise.all(Array.from({ length: 50 }, (_, n) => journal.write([{ run: `r${n}`, set: record }])));
    expect(disk.calls - before).toBe(1);
  });

  test('the journal writes the changes of a run in one tick as one line, and nothing of a run deleted meanwhile', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    const before = disk.files.get(JOURNAL) ?? '';
    await Promise.all([
      journal.write([{ run: KEY, set: record }, { epoch: [7, 3] }]),
      journal.write([{ run: KEY, set: { started: true, outputAcknowledged: 1 } }]),
      journal.write([{ run: 'unknown', set: { closed: true } }]),
      journal.write([{ run: KEY, set: { outputAcknowledged: 2 } }]),
    ]);
    expect((disk.files.get(JOURNAL) ?? '').slice(before.length).trim().split('\n')).toHaveLength(2);
    const again = await open(disk);
    expect(again.records.get(KEY)).toMatchObject({ ...record, started: true, outputAcknowledged: 2 });
    expect([again.records.size, again.epoch(7)]).toEqual([1, 3]);
  });

  test('the journal gives no report number twice', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    const id = journal.nextId();
    const report = { type: 'report', state: 'started', id, run: aRun(), at: 0, pid: 1 } as const;
    await journal.write([{ run: KEY, set: { ...record, unreported: [report] } }]);
    await journal.write([{ run: KEY, set: { unreported: [] } }]);
    expect((await open(disk)).nextId()).toBeGreaterThan(id);
  });

  test('the journal ignores the torn line of a crash, and refuses any other broken one', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    await journal.write([{ run: KEY, set: record }]);
    const whole = disk.files.get(JOURNAL) ?? '';
    disk.files.set(JOURNAL, `${whole}{"run":"x","se`);
    expect((await open(disk)).records.size).toBe(1);
    disk.files.set(JOURNAL, `${whole}{"run":"x","se\n${whole}`);
    expect(open(disk)).rejects.toThrow('is broken');
  });

  test.each([
    [
      'row 24: a journal of a newer agent',
      '{"journal":2,"fingerprint":"0123456789ab"}',
      'version 2 with fingerprint 0123456789ab, written by a newer Troupe',
    ],
    [
      'a journal of another revision',
      '{"journal":1,"fingerprint":"0123456789ab"}',
      'version 1 with fingerprint 0123456789ab, written by another revision',
    ],
    ['a journal of an older revision', '{"journal":1}', 'version 1 without a fingerprint, written by an older revision of Troupe'],
    ['a journal without a version', '{"joined":true}', 'no format version without a fingerprint'],
    ['a file that is no journal', 'what ever', 'no format version without a fingerprint'],
  ])('%s is refused untouched', async (_, head, what) => {
    const disk = aDisk();
    disk.files.set(JOURNAL, `${head}\n{"joined":true}\n`);
    const { version, fingerprint } = AGENT_JOURNAL;
    const ours = `this one reads version ${version} with fingerprint ${fingerprint} and changed nothing`;
    const refused = open(disk);
    await expect(refused).rejects.toThrow(what);
    await expect(refused).rejects.toThrow(`${ours}: start the agent with an empty data directory, or start the revision that wrote it`);
    expect([...disk.files]).toEqual([[JOURNAL, `${head}\n{"joined":true}\n`]]);
  });

  test('the journal deletes ended runs by age, but none whose report is open', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    const report = { type: 'report', state: 'started', id: 1, run: aRun(), at: 0, pid: 1 } as const;
    await journal.write([
      { run: 'told', set: { ...record, endedAt: 0, closed: true } },
      { run: 'untold', set: { ...record, endedAt: 0, closed: true, unreported: [report] } },
      { run: 'running', set: record },
    ]);
    await journal.sweep(agentLimits.endedKeptMs + 1);
    expect([...journal.records.keys()]).toEqual(['untold', 'running']);
    expect(await journal.sweep(agentLimits.undeliveredMs + 1)).toHaveLength(1);
    expect([...journal.records.keys()]).toEqual(['running']);
  });
});
