/** Parameters of shards in the syntax of ElasticJob: `0=Beijing,1=Shanghai`. */

import { TEXT_MAX, text } from '../../protocol/rest/fields.ts';

/** Trims items and values. Of two items with the same number the later wins. */
export function readItems(written: string): { items: Record<string, string> } | { wrong: string } {
  const items: Record<string, string> = {};
  if (written.trim() === '') return { items };
  for (const pair of written.split(',')) {
    const parts = pair.split('=').map(part => part.trim());
    const [item, value] = parts;
    if (parts.length !== 2 || !item || !value) return { wrong: 'int=xx,int=xx' };
    if (!/^\d{1,6}$/.test(item)) return { wrong: `int=xx,int=xx, and ${JSON.stringify(item.slice(0, 40))} is no whole number from 0` };
    items[String(Number(item))] = value;
  }
  return { items };
}

export const itemParameters = () =>
  text(TEXT_MAX).superRefine((written, context) => {
    const read = readItems(written);
    if ('wrong' in read) context.addIssue({ code: 'custom', message: read.wrong });
  });

/** Items beyond the number of shards; undefined when there is none. */
export const firstBeyond = (items: Record<string, string>, total: number): string | undefined =>
  Object.keys(items).find(item => Number(item) >= total);

export const writeItems = (items: Record<string, string>): string =>
  Object.entries(items)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([item, value]) => `${item}=${value}`)
    .join(',');
