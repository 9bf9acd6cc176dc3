/**
 * A machine as a table: every state against every event. What the table does not name must change
 * nothing: a command is refused, news is ignored.
 */
import { expect, test } from 'bun:test';
import { actors, COMMANDS } from '../../actors/index.ts';
import type { Address, Events, Kind } from '../../actors/types.ts';
import { anActor, summary } from './actor.ts';

export interface Table<K extends Kind> {
  address: Address<K>;
  birth: Events[K];
  /** Per state, the events that lead there from birth. */
  reach: Record<string, Events[K][]>;
  events: Record<string, Events[K]>;
  /** `state event` -> what comes of it, as `summary` words it. */
  rows: Record<string, string>;
}

/** All cells in which something happens or is refused. */
function cellsOf<K extends Kind>({ address, birth, reach, events }: Table<K>): Record<string, string> {
  const cells: Record<string, string> = {};
  for (const [state, way] of Object.entries(reach)) {
    for (const [name, event] of Object.entries(events)) {
      const actor = anActor(address, birth);
      for (const step of way) actor.tell(step);
      if (actor.state !== state) throw new Error(`the way to "${state}" leads to "${actor.state}"`);
      const before = actor.rev;
      const outcome = COMMANDS.has(event.type) ? actor.ask(event) : actor.tell(event);
      const cell = summary(before, actor, outcome);
      if (cell !== '-') cells[`${state} ${name}`] = cell;
    }
  }
  return cells;
}

export function holds<K extends Kind>(table: Table<K>): void {
  test('does in each state what its table says, and nothing else', () => {
    expect(cellsOf(table)).toEqual(table.rows);
  });

  test('is shown in each of its states by the table', () => {
    expect(Object.keys(table.reach).sort()).toEqual(statesOf(table.address));
  });
}

/** Names of the states that the machine file declares. */
function statesOf(address: string): string[] {
  const kind = address.slice(0, address.indexOf('/')) as Kind;
  return [...declaredStates[kind]].sort();
}

const declaredStates: Record<Kind, string[]> = {
  job: Object.keys(actors.job.machine.states.admin?.states ?? {}),
  execution: Object.keys(actors.execution.machine.states),
  app: Object.keys(actors.app.machine.states),
  host: Object.keys(actors.host.machine.states),
  pool: Object.keys(actors.pool.machine.states),
};
