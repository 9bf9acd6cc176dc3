/** Which contents of the file store jobs and apps name: those stay. */
import type { Clock } from '../../lib/clock.ts';
import type { View } from '../../runtime/document.ts';
import type { Views } from '../../runtime/views.ts';

/** The URL of an app whose content is in the file store of the center. */
const CENTER_FILE = /^troupe:files\/([0-9a-f]{64})$/i;

/** The digest in `troupe:files/<sha256>`, in lower case; undefined for another URL. */
export const centerFileOf = (url: string): string | undefined => CENTER_FILE.exec(url)?.[1]?.toLowerCase();

/** Jobs that are read at once: some milliseconds, with the longest history of files. */
const PAGE = 50;

interface Read {
  views: Pick<Views, 'list'>;
  clock: Pick<Clock, 'soon'>;
}

export interface NamedContents {
  /** SHA-256 -> one of those that name it: `app reports`. */
  sha256: Map<string, string>;
  /** Stored apps and jobs that this center cannot read: they may name any content. */
  unreadable: number;
}

/**
 * Reads every app and every job, page by page; other work goes on in between. Throws what the store
 * throws.
 */
export async function namedContents(read: Read): Promise<NamedContents> {
  const found: NamedContents = { sha256: new Map(), unreadable: 0 };
  await readAll(read, 'app', found, ({ context }) => {
    const digest = centerFileOf(context.config.url);
    return digest === undefined ? [] : [digest];
  });
  await readAll(read, 'job', found, ({ context: { config } }) =>
    [config.file, ...(config.files ?? [])].flatMap(file => file?.sha256 ?? []),
  );
  return found;
}

async function readAll<K extends 'app' | 'job'>(
  { views, clock }: Read,
  kind: K,
  found: NamedContents,
  digestsOf: (view: View<K>) => string[],
): Promise<void> {
  let cursor: string | undefined;
  do {
    const page = await views.list(kind, { limit: PAGE, order: 'name', ...(cursor === undefined ? {} : { cursor }) });
    for (const view of page.items) for (const digest of digestsOf(view)) found.sha256.set(digest, view.address.replace('/', ' '));
    found.unreadable += page.unreadable.length;
    cursor = page.next ?? undefined;
    if (cursor !== undefined) await new Promise<void>(resolve => clock.soon(resolve));
  } while (cursor !== undefined);
}
