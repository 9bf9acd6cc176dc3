/** What verbs over lists and things have in common. */
import { LIST_DEFAULT } from '../client.ts';
import { text, whole } from '../options.ts';
import type { Printer } from '../printer.ts';
import type { Shell } from '../shell.ts';
import type { Page } from '../surface.ts';
import type { Column } from '../table.ts';

export const listOptions = {
  limit: whole('N', `at most so many (default: ${LIST_DEFAULT})`, 1, 100_000),
  cursor: text('CURSOR', 'go on where an earlier list ended'),
};

/** A page as a table; where more is left, standard error says how to go on, and what could not be read. */
export async function showList<T>(
  { print, shell }: { print: Printer; shell: Shell },
  page: Page<T>,
  what: string,
  columns: readonly Column<T>[],
): Promise<void> {
  await print.show(page, () => (page.items.length === 0 ? [`no ${what}`] : print.table(page.items, columns)));
  if (!print.json) for (const { name, reason } of page.unreadable ?? []) shell.say(`${name} ${reason}; it is left as it is`);
  if (page.next !== null && !print.json) shell.say(`there are more: --limit, or --cursor ${page.next}`);
}

/** Without the settings that were not given; undefined when none is left. */
export function given<T extends Record<string, unknown>>(settings: T): Partial<T> | undefined {
  const some = Object.entries(settings).filter(([, value]) => value !== undefined);
  return some.length === 0 ? undefined : (Object.fromEntries(some) as Partial<T>);
}

/** Free of all. */
export const shareOf = (free: number, all: number): string => `${Math.round(free * 1000) / 1000}/${Math.round(all * 1000) / 1000}`;
