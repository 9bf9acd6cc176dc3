/** The job machine: every state and event. */
import { describe } from 'bun:test';
import type { JobEvent } from '../../actors/types.ts';
import { AT } from '../support/actor.ts';
import { aJob, anApp } from '../support/builders.ts';
import { type Table, testTable } from '../support/table.ts';

const known = (enabled: boolean, version = 1) => ({ config: anApp(), version, enabled });
const register: JobEvent = { type: 'job.register', config: aJob({ app: 'my_app', schedules: [{ type: 'cron', cron: '0 * * * * ?' }] }) };
const attached: JobEvent = { type: 'app.attached', app: known(true) };
const trigger: JobEvent = { type: 'job.trigger', key: 'k1' };
/** The execution that `trigger` creates. */
const e1 = 'nightly@20261122T080000.000Z~abc123';

const table: Table<'job'> = {
  address: 'job/nightly',
  create: register,
  reach: {
    enabled: [attached, trigger],
    disabled: [attached, trigger, { type: 'job.disable', kill: false }],
    deleting: [attached, trigger, { type: 'job.deregister' }],
    deleted: [attached, { type: 'job.deregister' }],
  },
  events: {
    register,
    update: { type: 'job.update', config: aJob({ app: 'other' }) },
    'update on': { type: 'job.update', config: aJob({ app: 'my_app' }), enabled: true },
    'update off': { type: 'job.update', config: aJob({ app: 'my_app' }), enabled: false },
    trigger: { type: 'job.trigger' },
    'trigger with a known key': trigger,
    retry: { type: 'job.retry', execution: e1 },
    enable: { type: 'job.enable' },
    disable: { type: 'job.disable', kill: false },
    'disable with kill': { type: 'job.disable', kill: true },
    deregister: { type: 'job.deregister' },
    'deregister for its app': { type: 'job.deregister', app: 'my_app' },
    'deregister for another app': { type: 'job.deregister', app: 'other' },
    kill: { type: 'job.kill', reason: 'enough' },
    'kill for another app': { type: 'job.kill', reason: 'enough', app: 'other' },
    due: { type: 'job.due' },
    'app attached': attached,
    'app disabled': { type: 'app.changed', app: known(false, 2) },
    'an older app': { type: 'app.changed', app: known(false, 0) },
    'another app': { type: 'app.changed', app: { config: anApp({ name: 'other' }), version: 9, enabled: false } },
    'app refused': { type: 'app.refused', app: 'my_app', reason: 'app my_app is being deleted' },
    'app missing': { type: 'actor.missing', to: 'app/my_app', eventType: 'app.attach' },
    'execution missing': { type: 'actor.missing', to: `execution/${e1}`, eventType: 'execution.end' },
    finished: { type: 'execution.finished', execution: e1, outcome: 'succeeded', finishedAt: AT },
    'another finished': { type: 'execution.finished', execution: 'x', outcome: 'succeeded', finishedAt: AT },
    released: { type: 'actor.released', since: AT, reason: 'r' },
  },
  rows: {
    'deleted register': 'enabled; tell app/my_app app.attach; job.registered',
    'deleting disable': 'refused: is being deregistered',
    'deleting disable with kill': 'refused: is being deregistered',
    'deleting enable': 'refused: is being deregistered',
    'deleting execution missing': 'deleted; tell app/my_app app.detach; job.finished, job.deregistered',
    'deleting finished': 'deleted; tell app/my_app app.detach; job.finished, job.deregistered',
    'deleting register': 'refused: is still being deregistered',
    'deleting retry': 'refused: is being deregistered',
    'deleting trigger': 'refused: is being deregistered',
    'deleting trigger with a known key': 'deleting',
    'deleting update': 'refused: is being deregistered',
    'deleting update off': 'refused: is being deregistered',
    'deleting update on': 'refused: is being deregistered',
    'disabled app attached': 'disabled',
    'disabled app disabled': 'disabled',
    'disabled app missing': 'disabled; ; actor.quarantined',
    'disabled app refused': 'disabled; ; actor.quarantined',
    'disabled deregister': 'deleting; tell execution/nightly@20261122T080000.000Z~abc123 execution.end; job.deregistering',
    'disabled deregister for another app': 'refused: does not take "job.deregister" while disabled and running',
    'disabled deregister for its app': 'deleting; tell execution/nightly@20261122T080000.000Z~abc123 execution.end; job.deregistering',
    'disabled disable with kill': 'disabled; tell execution/nightly@20261122T080000.000Z~abc123 execution.end',
    'disabled enable': 'enabled; ; job.enabled',
    'disabled execution missing': 'disabled; ; job.finished',
    'disabled finished': 'disabled; ; job.finished',
    'disabled kill': 'disabled; tell execution/nightly@20261122T080000.000Z~abc123 execution.end',
    'disabled register': 'refused: is registered already',
    'disabled released': 'disabled',
    'disabled retry': 'refused: is disabled',
    'disabled trigger': 'refused: is disabled',
    'disabled trigger with a known key': 'disabled',
    'disabled update': 'disabled; tell app/my_app app.detach, tell app/other app.attach; job.updated',
    'disabled update off': 'disabled; ; job.updated',
    'disabled update on': 'enabled; ; job.updated, job.enabled',
    'enabled app attached': 'enabled',
    'enabled app disabled': 'enabled',
    'enabled app missing': 'enabled; ; actor.quarantined',
    'enabled app refused': 'enabled; ; actor.quarantined',
    'enabled deregister': 'deleting; tell execution/nightly@20261122T080000.000Z~abc123 execution.end; job.deregistering',
    'enabled deregister for another app': 'refused: does not take "job.deregister" while enabled and running',
    'enabled deregister for its app': 'deleting; tell execution/nightly@20261122T080000.000Z~abc123 execution.end; job.deregistering',
    'enabled disable': 'disabled; ; job.disabled',
    'enabled disable with kill': 'disabled; tell execution/nightly@20261122T080000.000Z~abc123 execution.end; job.disabled',
    'enabled due': 'enabled',
    'enabled execution missing': 'enabled; ; job.finished',
    'enabled finished': 'enabled; ; job.finished',
    'enabled kill': 'enabled; tell execution/nightly@20261122T080000.000Z~abc123 execution.end',
    'enabled register': 'refused: is registered already',
    'enabled released': 'enabled',
    'enabled retry': 'enabled; tell execution/nightly@20261122T080000.000Z~abc123 execution.create; job.triggered',
    'enabled trigger': 'enabled; tell execution/nightly@20261122T080000.000Z~abc123 execution.create; job.triggered',
    'enabled trigger with a known key': 'enabled',
    'enabled update': 'enabled; tell app/my_app app.detach, tell app/other app.attach; job.updated',
    'enabled update off': 'disabled; ; job.updated, job.disabled',
    'enabled update on': 'enabled; ; job.updated',
  },
};

describe('a job', () => {
  testTable(table);
});
