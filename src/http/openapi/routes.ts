/**
 * The reference of the front door, made from its own routes: for programs as OpenAPI, for people as
 * a page. It says nothing of this installation, so anybody may read it.
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

/** `surfaces` is asked at the first request: the reference is a part of what it tells of. */
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

/** The page has its style in it and nothing else: no script, no picture, nothing from elsewhere. */
const POLICY = policyFor(STYLE);
