/**
 * The page at `/` for browsers: links and first commands. Programs get a 404 at that path. The page
 * is public, so it has no data of this installation; it is plain HTML without scripts, images or
 * requests.
 */
import { createHash } from 'node:crypto';
import about from '../../package.json' with { type: 'json' };
import { escaped } from './openapi/type-text.ts';

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: #2563eb }
@media (prefers-color-scheme: dark) { :root { --link: #7aa7ff } }
body { margin: 0 auto; padding: 2.5rem 1.2rem 4rem; max-width: 46rem; font: 16px/1.55 system-ui, sans-serif }
h1 { margin: 0 } h1 small { font-weight: 400; font-size: 1rem; opacity: .7 }
h2 { margin: 2rem 0 .4rem; font-size: 1.1rem }
a { color: var(--link) } li { margin: .3rem 0 }
code, pre { font: 14px/1.6 ui-monospace, Menlo, Consolas, monospace }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; white-space: pre-wrap; overflow-wrap: anywhere }
`;

/** Commands for a login and a request, for pages: `origin` is escaped HTML. */
export const loginAt = (origin: string): string =>
  `curl -d '{"username":"root","password":"…"}' -H 'Content-Type: application/json' ${origin}/v1/login
curl -H 'Authorization: Bearer …' ${origin}/v1/jobs`;

const pageOf = (origin: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Troupe</title><style>${STYLE}</style></head>
<body>
<h1>Troupe <small>${about.version}</small></h1>
<p>This is a center of Troupe, a job scheduler for fleets of hosts. It has no console in the browser yet; use the command line or the REST API.</p>
<ul>
<li><a href="/v1/reference">Reference</a>: every route with its request and response; <a href="/v1/openapi.json">openapi.json</a> for programs</li>
<li><a href="/v1/ready">Ready</a>: whether the center serves, or why it does not</li>
</ul>
<h2>From the command line</h2>
<pre>troupe login
troupe hosts
troupe jobs
troupe watch
troupe --help</pre>
<p>In a checkout <code>troupe</code> is <code>./node_modules/.bin/bun src/cli/main.ts</code>. The first start showed the password of <code>root</code>.</p>
<h2>With a token</h2>
<pre>${loginAt(origin)}</pre>
<p>A login expires after twelve hours. For programs <code>troupe tokens create NAME --days N</code> creates a token with its own expiry.</p>
</body></html>
`;

/** Allows this style and nothing else. */
export const policyFor = (style: string): string =>
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Is the caller a browser? Programs that accept any type (curl, fetch) do not name HTML. */
export const isLooking = ({ method, headers }: Request): boolean =>
  (method === 'GET' || method === 'HEAD') && /\btext\/html\b/i.test(headers.get('accept') ?? '');

/** The examples contain the origin of the request. */
export const frontPage = ({ url }: Request): Response =>
  new Response(pageOf(escaped(new URL(url).origin)), {
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policyFor(STYLE), Vary: 'Accept' },
  });
