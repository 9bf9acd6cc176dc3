/**
 * The reference of the API, generated from its routes: OpenAPI for programs, a page for people. It
 * is public, so it has no data of this installation.
 */
import about from '../../../package.json' with { type: 'json' };
import { referenceEndpoints } from '../../protocol/rest/center.ts';
import { policyFor } from '../front-page.ts';
import { type Route, type Surface, serving } from '../route.ts';
import { SOCKETS } from '../socket-paths.ts';
import { describeApi, type OpenApi } from './document.ts';
import { ORIGIN, referencePage, STYLE } from './page.ts';
import { escaped } from './type-text.ts';

const on = serving(referenceEndpoints);

/** Calls `surfaces` at the first request: the reference describes its own routes, too. */
export function referenceRoutes(surfaces: () => readonly Surface[]): Route[] {
  let made: { document: OpenApi; page: string } | undefined;
  const all = () => {
    if (!made) {
      const document = describeApi(surfaces(), SOCKETS, about.version);
      made = { document, page: referencePage(document) };
    }
    return made;
  };
  return [
    on('GET /v1/openapi.json', () => ({ ...all().document })),
    on('GET /v1/reference', ({ c }) => {
      const page = all().page.replaceAll(ORIGIN, () => escaped(new URL(c.req.url).origin));
      return new Response(page, { headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': POLICY } });
    }),
  ];
}

/** Allows the style of the page and nothing else. */
const POLICY = policyFor(STYLE);
