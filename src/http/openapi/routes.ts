/**
 * The reference of the API, generated from its routes: OpenAPI for programs, a page for people. It
 * is public, so it has no data of this installation.
 */
import about from '../../../package.json' with { type: 'json' };
import { onceLoaded } from '../../lib/once-loaded.ts';
import { referenceEndpoints } from '../../protocol/rest/center.ts';
import { policyFor } from '../front-page.ts';
import { type Route, type Surface, serving } from '../route.ts';
import { SOCKETS } from '../socket-paths.ts';
import type { OpenApi } from './document.ts';

const on = serving(referenceEndpoints);

interface Reference {
  document: OpenApi;
  /** The page for requests to this origin. */
  pageFor(origin: string): string;
  /** Allows the style of the page and nothing else. */
  policy: string;
}

/**
 * Creates the reference at the first request: it describes its own routes, too, and a start does
 * not wait for its code.
 */
export function referenceRoutes(surfaces: () => Promise<readonly Surface[]>): Route[] {
  const reference = onceLoaded(async (): Promise<Reference> => {
    const [{ describeApi }, { ORIGIN, referencePage, STYLE }, { escaped }, loaded] = await Promise.all([
      import('./document.ts'),
      import('./page.ts'),
      import('./type-text.ts'),
      surfaces(),
    ]);
    const document = describeApi(loaded, SOCKETS, about.version);
    const page = referencePage(document);
    return { document, pageFor: origin => page.replaceAll(ORIGIN, () => escaped(origin)), policy: policyFor(STYLE) };
  });
  return [
    on('GET /v1/openapi.json', async () => ({ ...(await reference()).document })),
    on('GET /v1/reference', async ({ c }) => {
      const { pageFor, policy } = await reference();
      const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy };
      return new Response(pageFor(new URL(c.req.url).origin), { headers });
    }),
  ];
}
