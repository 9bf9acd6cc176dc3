/** Which contents of the file store jobs and apps name: those stay. */
import type { View } from '../../runtime/document.ts';
import type { Views } from '../../runtime/views.ts';

/** The URL of an app whose content is in the file store of the center. */
const CENTER_FILE = /^troupe:files\/([0-9a-f]{64})$/i;

/** The digest in `troupe:files/<sha256>`, in lower case; undefined for another URL. */
export const centerFileOf = (url: string): string | undefined => CENTER_FILE.exec(url)?.[1]?.toLowerCase();

const PAGE = 200;

export interface NamedContents {
  /** SHA-256 -> one of those that name it: `app reports`. */
  sha256: Map<string, string>;
  /** Stored apps and jobs that this center cannot read: they may name any content. */
  unreadable: number;
}

/** Reads every app and every job, page by page. Throws what the store throws. */
export async function namedContents(views: Pick<Views, 'list'>): Promise<NamedContents> {
  const found: NamedContents = { sha256: new Map(), unreadable: 0 };
  await readAll(views, 'app', found, ({ context }) => {
    const digest = centerFileOf(context.config.url);
    return digest === undefined ? [] : [digest];
  });
  await readAll(views, 'job', found, ({ context: { config } }) =>
    [config.file, ...(config.files ?? [])].flatMap(file => file?.sha256 ?? []),
  );
  return found;
}

async function readAll<K extends 'app' | 'job'>(
  views: Pick<Views, 'list'>,
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
  } while (cursor !== undefined);
}
