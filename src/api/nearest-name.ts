/** Finds an actor by its name; a refusal suggests the nearest name. */
import type { Kind } from '../../actors/types.ts';
import { Problem } from '../http/errors.ts';
import { nearest } from '../lib/suggest.ts';
import type { View } from '../runtime/document.ts';
import { NoSuchActor } from '../runtime/errors.ts';
import type { Views } from '../runtime/views.ts';
import { one } from './lookup.ts';

/**
 * Names compared for a suggestion: the first of their kind; for an execution, the latest of its
 * job.
 */
const NAMES_LOOKED = 200;

/** Throws Problem `notFound`. */
export async function oneOrNearest<K extends Kind>(views: Views, kind: K, name: string): Promise<View<K>> {
  try {
    return await one(views, kind, name);
  } catch (error) {
    if (error instanceof NoSuchActor) throw await notFound(views, kind, name, error);
    throw error;
  }
}

export async function notFound(views: Views, kind: Kind, name: string, cause?: unknown): Promise<Problem> {
  const query = kind === 'execution' ? { parent: name.slice(0, 100).split('@')[0] ?? '' } : { order: 'name' as const };
  const known = (await views.list(kind, { ...query, limit: NAMES_LOOKED })).items.map(view => view.address.slice(kind.length + 1));
  const meant = nearest(name.slice(0, 300), known);
  return new Problem('notFound', `${kind} not found: ${name.slice(0, 100)}${meant ? `; did you mean ${JSON.stringify(meant)}?` : ''}`, {
    cause,
  });
}
