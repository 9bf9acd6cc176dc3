/** Which contents of the file store jobs and apps name: those stay. */
import type { View } from '../../runtime/document.ts';
import type { Views } from '../../runtime/views.ts';

/** The URL of an app whose content is in the file store of the center. */
const CENTER_FILE = /^troupe:files\/([0-9a-f]{64})$/i;

/** The digest in `troupe:files/<sha256>`, in lower case; undefined for another URL. */
export const centerFileOf = (url: string): string | undefined => CENTER_FILE.exec(url)?.[1]?.toLowerCase();

const PAGE = 200;

export interface NamedContents {
  sha256: Set<string>;
  /** Stored apps and jobs that this center cannot read: they may name any content. */
  unreadable: number;
}

/** Reads every app, page by page. Throws what the store throws. */
export async function namedContents(views: Pick<Views, 'list'>): Promise<NamedContents> {
  const found: NamedContents = { sha256: new Set(), unreadable: 0 };
  let cursor: string | undefined;
  do {
    const page = await views.list('app', { limit: PAGE, order: 'name', ...(cursor === undefined ? {} : { cursor }) });
    for (const view of page.items) for (const digest of digestsOf(view)) found.sha256.add(digest);
    found.unreadable += page.unreadable.length;
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return found;
}

function digestsOf({ context }: View<'app'>): string[] {
  const digest = centerFileOf(context.config.url);
  return digest === undefined ? [] : [digest];
}
