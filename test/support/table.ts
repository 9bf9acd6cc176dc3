/**
 * A machine as a table: every state against every event. A cell without a row must change nothing:
 * a command is refused, a report is ignored.
 */
import { expect, test } from 'bun:test';
import { COMMANDS } from '../../actors/index.ts';
import { machines } from '../../actors/machines.ts';
import type { Address, Events, Kind } from '../../actors/types.ts';
import { anActor, summary } from './actor.ts';

export interface Table<K extends Kind> {
  address: Address<K>;
  create: Events[K];
  /** Per state, the events that lead there from the initial state. */
  reach: Record<string, Events[K][]>;
  events: Record<string, Events[K]>;
  /** `state event` -> its result in the form of `summary`. */
  rows: Record<string, string>;
}

/** All cells with a change or a refusal. */
function cellsOf<K extends Kind>({ address, create, reach, events }: Table<K>): Record<string, string> {
  const cells: Record<string, string> = {};
  for (const [state, path] of Object.entries(reach)) {
    for (const [name, event] of Object.entries(events)) {
      const actor = anActor(address, create);
      for (const step of path) actor.tell(step);
      if (actor.state !== state) throw new Error(`the path to "${state}" leads to "${actor.state}"`);
      const before = actor.rev;
      const outcome = COMMANDS.has(event.type) ? actor.ask(event) : actor.tell(event);
      const cell = summary(before, actor, outcome);
      if (cell !== '-') cells[`${state} ${name}`] = cell;
    }
  }
  return cells;
}

export function testTable<K extends Kind>(table: Table<K>): void {
  test(`each state of ${table.address} reacts exactly as its table says`, () => {
    expect(cellsOf(table)).toEqual(table.rows);
  });

  test(`each state of the machine of ${table.address} is in the table`, () => {
    expect(Object.keys(table.reach).sort()).toEqual(statesOf(table.address));
  });
}

/** Names of the states of the machine. */
function statesOf(address: string): string[] {
  const kind = address.slice(0, address.indexOf('/')) as Kind;
  return [...declaredStates[kind]].sort();
}

const declaredStates: Record<Kind, string[]> = {
  job: Object.keys(machines.job.states.admin?.states ?? {}),
  execution: Object.keys(machines.execution.states),
  app: Object.keys(machines.app.states),
  host: Object.keys(machines.host.states),
  pool: Object.keys(machines.pool.states),
  table: Object.keys(machines.table.states),
  notice: Object.keys(machines.notice.states),
};
