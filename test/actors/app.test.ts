/** The app machine: publish, change, enable, disable, delete. */
import { describe, expect, test } from 'bun:test';
import type { AppEvent } from '../../actors/types.ts';
import { anActor, sentTo } from '../support/actor.ts';
import { anApp } from '../support/builders.ts';
import { type Table, testTable } from '../support/table.ts';

const attach: AppEvent = { type: 'app.attach', job: 'j1' };
const remove: AppEvent = { type: 'app.delete' };

const table: Table<'app'> = {
  address: 'app/my_app',
  create: { type: 'app.publish', config: anApp() },
  reach: {
    enabled: [attach],
    disabled: [attach, { type: 'app.disable', kill: false }],
    deleting: [attach, remove],
    deleted: [remove],
  },
  events: {
    publish: { type: 'app.publish', config: anApp() },
    modify: { type: 'app.modify', changes: { description: 'new' } },
    'modify on': { type: 'app.modify', changes: {}, enabled: true },
    'modify off': { type: 'app.modify', changes: {}, enabled: false },
    enable: { type: 'app.enable' },
    disable: { type: 'app.disable', kill: false },
    'disable with kill': { type: 'app.disable', kill: true },
    delete: remove,
    'attach j2': { type: 'app.attach', job: 'j2' },
    'detach j1': { type: 'app.detach', job: 'j1' },
    'detach j9': { type: 'app.detach', job: 'j9' },
    'missing j1': { type: 'actor.missing', to: 'job/j1', eventType: 'app.changed' },
  },
  rows: {
    'deleted publish': 'enabled; ; app.published',
    'deleting attach j2': 'deleting; tell job/j2 app.refused',
    'deleting detach j1': 'deleted; ; app.deleted',
    'deleting detach j9': 'deleting',
    'deleting disable': 'refused: is being deleted',
    'deleting disable with kill': 'refused: is being deleted',
    'deleting enable': 'refused: is being deleted',
    'deleting missing j1': 'deleted; ; app.deleted',
    'deleting modify': 'refused: is being deleted',
    'deleting modify off': 'refused: is being deleted',
    'deleting modify on': 'refused: is being deleted',
    'deleting publish': 'refused: is still being deleted',
    'disabled attach j2': 'disabled; tell job/j2 app.attached',
    'disabled delete': 'deleting; tell job/j1 job.deregister; app.deleting',
    'disabled detach j1': 'disabled',
    'disabled detach j9': 'disabled',
    'disabled disable with kill': 'disabled; tell job/j1 job.kill',
    'disabled enable': 'enabled; tell job/j1 app.changed; app.enabled',
    'disabled missing j1': 'disabled',
    'disabled modify': 'disabled; tell job/j1 app.changed; app.modified',
    'disabled modify off': 'disabled; tell job/j1 app.changed; app.modified',
    'disabled modify on': 'enabled; tell job/j1 app.changed; app.modified, app.enabled',
    'disabled publish': 'refused: is published already',
    'enabled attach j2': 'enabled; tell job/j2 app.attached',
    'enabled delete': 'deleting; tell job/j1 job.deregister; app.deleting',
    'enabled detach j1': 'enabled',
    'enabled detach j9': 'enabled',
    'enabled disable': 'disabled; tell job/j1 app.changed; app.disabled',
    'enabled disable with kill': 'disabled; tell job/j1 app.changed, tell job/j1 job.kill; app.disabled',
    'enabled missing j1': 'enabled',
    'enabled modify': 'enabled; tell job/j1 app.changed; app.modified',
    'enabled modify off': 'disabled; tell job/j1 app.changed; app.modified, app.disabled',
    'enabled modify on': 'enabled; tell job/j1 app.changed; app.modified',
    'enabled publish': 'refused: is published already',
  },
};

describe('an app', () => {
  test('an app is disabled from its first turn when it is published disabled', () => {
    const app = anActor('app/my_app', { type: 'app.publish', config: anApp(), enabled: false });
    expect([app.state, app.created.facts.map(fact => fact.type)]).toEqual(['disabled', ['app.published', 'app.disabled']]);
    expect(sentTo(app.tell(attach), 'job/j1')).toMatchObject([{ type: 'app.attached', app: { enabled: false } }]);
  });

  testTable(table);

  test('an app sends each change to its jobs with a growing version', () => {
    const app = anActor('app/my_app', table.create);
    app.tell(attach);
    app.tell({ type: 'app.attach', job: 'j2' });
    const modified = app.ask({ type: 'app.modify', changes: { url: 'http://elsewhere/x.zip' } });
    for (const job of ['job/j1', 'job/j2']) {
      expect(sentTo(modified, job)).toMatchObject([
        { type: 'app.changed', app: { version: 2, enabled: true, config: { url: 'http://elsewhere/x.zip' } } },
      ]);
    }
    expect(sentTo(app.ask({ type: 'app.disable', kill: false }), 'job/j1')).toMatchObject([{ app: { version: 3, enabled: false } }]);
    expect(sentTo(app.ask({ type: 'app.enable' }), 'job/j1')).toMatchObject([{ app: { version: 4, enabled: true } }]);
  });

  test('an app counts a job once however often it attaches', () => {
    const app = anActor('app/my_app', table.create);
    app.tell(attach);
    app.tell(attach);
    expect(app.context.jobs).toEqual(['j1']);
  });

  test('an app is deleted when no job is left, a job that does not exist included', () => {
    const app = anActor('app/my_app', table.create);
    app.tell(attach);
    app.tell({ type: 'app.attach', job: 'j2' });
    app.ask(remove);
    app.tell({ type: 'app.detach', job: 'j1' });
    expect(app.state).toBe('deleting');
    app.tell({ type: 'actor.missing', to: 'job/j2', eventType: 'job.deregister' });
    expect(app.state).toBe('deleted');
  });

  test('an app that ends its jobs sends its name, so that a job of another app goes on', () => {
    const app = anActor('app/my_app', table.create);
    app.tell(attach);
    expect(sentTo(app.ask({ type: 'app.disable', kill: true }), 'job/j1')).toContainEqual({
      type: 'job.kill',
      app: 'my_app',
      reason: 'app my_app was disabled',
    });
    expect(sentTo(app.ask(remove), 'job/j1')).toEqual([{ type: 'job.deregister', app: 'my_app' }]);
  });
});
