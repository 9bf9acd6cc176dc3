/** `POST …/release`: the end of a quarantine, the same for every kind of actor. */
import type { z } from 'zod';
import type { Address, Kind } from '../../../actors/types.ts';
import { type Route, route } from '../../http/route.ts';
import type { Center } from '../../http/route-context.ts';
import type { View } from '../../runtime/document.ts';

/**
 * `find` throws what says that there is none of that name; `shape` is what the answer shows of it
 * afterwards.
 */
export function releaseRoute<K extends Kind>({
  center,
  path,
  what,
  answers,
  find,
  shape,
}: {
  center: Pick<Center, 'runtime'>;
  /** Of the thing itself; what names it comes last: `/v1/apps/:name`. */
  path: `/v1/${string}/:${string}`;
  /** As in "Ends the quarantine of a job." */
  what: string;
  answers: z.ZodType;
  find(name: string): Promise<View<K>>;
  shape(view: View<K>): unknown;
}): Route {
  const named = path.slice(path.lastIndexOf(':') + 1);
  return route({
    method: 'POST',
    path: `${path}/release`,
    access: 'user',
    says: `Ends the quarantine of ${what}: what waited for it goes on.`,
    answers,
    async handle({ params }: { params: Record<string, string> }) {
      const { address } = await find(params[named] ?? '');
      await center.runtime.release(address as Address<K>);
      return shape(await find(address.slice(address.indexOf('/') + 1)));
    },
  });
}
