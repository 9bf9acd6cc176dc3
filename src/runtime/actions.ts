/**
 * Reads the actions of a step as data: effects, facts, timers, an answer. An action that is not
 * granted throws before any commit.
 */

import { EFFECTS } from '../../actors/decision.ts';
import type { Effect } from '../../actors/types.ts';
import type { Timer } from './document.ts';
import type { Step } from './stepper.ts';

export interface Plan {
  effects: Effect[];
  facts: { type: string; data: Record<string, unknown> }[];
  timers: ({ set: Timer } | { cancel: string })[];
  answer: { value: unknown } | null;
  quarantine: string | null;
}

/**
 * The machine asked for something that a durable actor cannot have. A mistake in a machine file,
 * found before any commit.
 */
export class NotGranted extends Error {}

const GRANTED: ReadonlySet<string> = new Set(EFFECTS);

export function interpret(step: Step, at: number): Plan {
  const plan: Plan = { effects: [], facts: [], timers: [], answer: null, quarantine: null };
  // `spawn` inside `assign` leaves no action behind, only a child.
  if (Object.keys(step.snapshot.children ?? {}).length > 0) throw new NotGranted('a durable actor has no children');
  for (const action of step.actions) {
    const params = (action.params ?? {}) as Record<string, unknown>;
    switch (action.type) {
      case 'xstate.emit': {
        const { type, ...data } = params.event as { type: string };
        plan.facts.push({ type, data });
        break;
      }
      case 'xstate.raise': {
        // Without a delay it was already taken in the same step.
        if (params.delay === undefined) break;
        const event = params.event as { type: string };
        plan.timers.push({ set: { id: String(params.id ?? event.type), dueAt: at + Number(params.delay), event } });
        break;
      }
      case 'xstate.cancel':
        plan.timers.push({ cancel: String(params.sendId) });
        break;
      case 'answer':
        plan.answer = { value: params.value };
        break;
      case 'quarantine':
        plan.quarantine = String(params.reason);
        break;
      default:
        // XState gives an inline function its own name and no parameters.
        if (!GRANTED.has(action.type) || action.params === undefined)
          throw new NotGranted(`"${action.type}" is not an effect that this runtime grants`);
        plan.effects.push({ type: action.type, params } as Effect);
    }
  }
  return plan;
}
