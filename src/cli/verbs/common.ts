/** Common parts of verbs: lists, states, `release`. */

import type { Page } from '../../protocol/rest/index.ts';
import type { Quarantine } from '../../protocol/rest/responses.ts';
import type { Client } from '../client.ts';
import { EXIT } from '../failure.ts';
import type { Printer } from '../printer.ts';
import type { Shell } from '../shell.ts';
import type { Column } from '../table.ts';
import { verb } from '../verb.ts';

/**
 * Checks a filter of an empty list: a mistyped job looks like a job that never ran. `looks` read
 * the things that the filter names. Throws their Failure `notFound`.
 */
export async function checkExists(page: Page<unknown>, looks: readonly (() => unknown)[]): Promise<void> {
  if (page.items.length > 0 || page.next !== null) return;
  for (const look of looks) await look();
}

/** A page as a table; standard error names the next page and what could not be read. */
export async function showList<T>(
  { print, shell }: { print: Printer; shell: Shell },
  page: Page<T>,
  what: string,
  columns: readonly Column<T>[],
): Promise<void> {
  await print.show(page, () => (page.items.length === 0 ? [`no ${what}`] : print.table(page.items, columns)));
  if (!print.json) for (const { name, reason } of page.unreadable ?? []) shell.notify(`${name} ${reason}; it stays unchanged`);
  if (page.next !== null && !print.json) shell.notify(`the list goes on; use a larger --limit, or --cursor ${page.next}`);
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The settings that are given; undefined without any. */
export function given<T extends Record<string, unknown>>(settings: T): Given<T> | undefined {
  const some = Object.entries(settings).filter(([, value]) => value !== undefined);
  return some.length === 0 ? undefined : (Object.fromEntries(some) as Given<T>);
}

/** `free/all`, at most three decimals. */
export const shareOf = (free: number, all: number): string => `${Math.round(free * 1000) / 1000}/${Math.round(all * 1000) / 1000}`;

/** The status of a thing; in quarantine with the reason. */
export const statusOr = ({ quarantine, status }: { quarantine?: Quarantine; status: string }): string =>
  quarantine ? `quarantined: ${quarantine.reason}` : status;
/** The same in one word, for a column. */
export const statusWord = ({ quarantine, status }: { quarantine?: Quarantine; status: string }): string =>
  quarantine ? 'quarantined' : status;

/** The verb `release` of any kind of thing. */
export const releaseOf = (word: string, what: string, release: (client: Client, name: string) => Promise<object>) =>
  verb({
    summary: `ends the quarantine of ${what}`,
    takes: [word],
    options: {},
    async run({ client, print, words: [name = ''] }) {
      const released = await release(client, name);
      await print.show(released, () => [`released ${'name' in released ? released.name : name}`]);
      return EXIT.done;
    },
  });
