/**
 * The reference of the API, generated from its routes: OpenAPI for programs, a page for people. It
 * is public, so it has no data of this installation.
 */
import about from '../../../package.json' with { type: 'json' };
import { referenceEndpoints } from '../../protocol/rest/center.ts';
import { once } from '../../protocol/rest/fields.ts';
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
export function referenceRoutes(surfaces: () => readonly Surface[]): Route[] {
  const reference = once(async (): Promise<Reference> => {
    const [{ describeApi }, { ORIGIN, referencePage, STYLE }, { escaped }] = await Promise.all([
      import('./document.ts'),
      import('./page.ts'),
      import('./type-text.ts'),
    ]);
    const document = describeApi(surfaces(), SOCKETS, about.version);
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
