/**
 * The reference as one page of plain HTML without scripts, images or requests. Each operation
 * unfolds, and the search of the browser works.
 */
import { loginAt } from '../front-page.ts';
import type { OpenApi, OpenApiOperation, Parameter } from './document.ts';
import type { Json } from './schemas.ts';
import { escaped, limitsOf, linkTo, typeText } from './type-text.ts';

export const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: #2563eb }
@media (prefers-color-scheme: dark) { :root { --link: #7aa7ff } }
* { box-sizing: border-box }
html { scroll-padding-top: 1rem }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 21rem minmax(0, 1fr) }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.2rem 1rem 3rem; border-right: 1px solid var(--line); font-size: 13px }
nav h2 { font-size: 13px; margin: 1.4rem 0 .3rem; border: 0; padding: 0 } nav ul { list-style: none; margin: 0; padding: 0 } nav li { display: flex; gap: .5rem; padding: 1px 0 }
nav a { color: inherit; text-decoration: none; overflow-wrap: anywhere } nav a:hover { text-decoration: underline }
main { padding: 1.5rem 2rem 6rem; max-width: 62rem }
h1 { margin: 0 } h1 small { font-weight: 400; font-size: 1rem; opacity: .7 }
h2 { margin: 2.8rem 0 .4rem; padding-top: .6rem; border-top: 1px solid var(--line) }
h3 { margin: 1.1rem 0 .3rem; font-size: 13px; opacity: .7 }
a { color: var(--link) }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0 } details[open] { padding-bottom: .8rem }
details > :not(summary) { margin-left: 1rem; margin-right: 1rem }
summary { display: flex; flex-wrap: wrap; gap: .2rem .7rem; align-items: baseline; padding: .45rem .7rem; cursor: pointer; list-style: none }
summary:hover { background: var(--soft) } summary code { font-weight: 600; overflow-wrap: anywhere } summary span { opacity: .8; flex: 1 1 16rem }
details:has(:target) { outline: 2px solid var(--link) } details > div { scroll-margin-top: 4rem }
code, pre { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace } pre { background: var(--soft); padding: .7rem .9rem; border-radius: 6px; overflow-x: auto; margin: .3rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere }
pre i { opacity: .65; font-style: normal } pre b { font-weight: 600 }
table { border-collapse: collapse; width: calc(100% - 2rem) } td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line) } td:nth-child(1) { width: 9rem } td:nth-child(2) { width: 5rem }
em { font: 600 11px/1.7 ui-monospace, Menlo, Consolas, monospace; flex: none; width: 3.7rem; text-align: center; border-radius: 4px; color: #fff; align-self: flex-start; margin-top: 1px }
.get { background: #1d6fb8 } .post { background: #23803f } .put, .patch { background: #a05a00 } .delete { background: #b3261e } .socket { background: #6b4fbb }
@media (max-width: 60rem) { body { display: block } nav { display: none } main { padding: 1rem } td, td:nth-child(n) { display: block; width: auto; border: 0; padding: 0 } tr { display: block; padding: .3rem 0; border-bottom: 1px solid var(--line) } pre { margin-left: 0; margin-right: 0 } details > :not(summary) { margin-left: .7rem; margin-right: .7rem } }
`;

/** One operation with its method and path. */
interface Entry {
  method: string;
  path: string;
  operation: OpenApiOperation;
}

const isSocket = ({ operation }: Entry): boolean => operation['x-frames'] !== undefined;

/** Placeholder of the origin in examples; each request inserts its own. */
export const ORIGIN = '{{origin}}';

export function referencePage(document: OpenApi): string {
  const entries = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Entry => ({ method, path, operation })),
  );
  const of = (tag: string) => entries.filter(({ operation }) => operation.tags.includes(tag)).sort(inReadingOrder);
  const { info, tags, components } = document;
  const schemas = Object.entries(components.schemas);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Troupe: reference</title><style>${STYLE}</style></head>
<body>
<nav><b>Troupe ${text(info.version)}</b>
${tags.map(({ name }) => `<h2>${text(name)}</h2><ul>${of(name).map(navItem).join('')}</ul>`).join('\n')}
<h2>Schemas</h2><ul>${schemas.map(([name]) => `<li>${linkTo(name)}</li>`).join('')}</ul>
</nav>
<main>
<h1>Troupe <small>${text(info.version)}</small></h1>
<p>${text(info.summary)} ${prose(info.description)}</p>
<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1). Operations need a token unless they are marked as public:</p>
<pre>${loginAt(ORIGIN)}</pre>
${tags.map(({ name, description }) => `<h2>${text(name)}</h2><p>${prose(description)}</p>\n${of(name).map(section).join('\n')}`).join('\n')}
<h2>Schemas</h2>
${schemas.map(([name, schema]) => `<details open id="schema-${text(name)}"><summary><code>${text(name)}</code></summary><pre>${typeText(schema)}</pre></details>`).join('\n')}
</main></body></html>
`;
}

const text = (value: unknown): string => escaped(String(value ?? ''));
/** Marks \`code\` in a text. */
const prose = (value: unknown): string => text(value).replaceAll(/`([^`]+)`/g, '<code>$1</code>');

/** Order of the operations at one path. */
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const inReadingOrder = (a: Entry, b: Entry): number =>
  a.path === b.path ? METHODS.indexOf(a.method) - METHODS.indexOf(b.method) : a.path < b.path ? -1 : 1;

const badge = (entry: Entry): string =>
  isSocket(entry) ? '<em class="socket">SOCKET</em>' : `<em class="${entry.method}">${entry.method.toUpperCase()}</em>`;

const navItem = (entry: Entry): string => `<li>${badge(entry)}<a href="#${entry.operation.operationId}">${text(entry.path)}</a></li>`;

function section(entry: Entry): string {
  const { operation, path } = entry;
  const { summary, description, parameters, requestBody, responses, security } = operation;
  const frames = operation['x-frames'];
  return [
    // The target of the link is inside, so that a browser unfolds the operation.
    `<details><summary>${badge(entry)}<code>${text(path)}</code><span>${prose(summary)}</span></summary><div id="${operation.operationId}"></div>`,
    description ? `<p>${prose(description)}</p>` : '',
    security.length === 0 && !frames ? '<p>Public: no token needed.</p>' : '',
    parameters.length === 0 ? '' : `<h3>Parameters</h3><table>${parameters.map(row).join('')}</table>`,
    frames
      ? `<h3>Frames to the center</h3><pre>${typeText(frames.toCenter)}</pre><h3>Frames from the center</h3><pre>${typeText(frames.fromCenter)}</pre>`
      : '',
    requestBody
      ? `<h3>Body${requestBody.required ? '' : ' (optional)'}: ${Object.keys(requestBody.content).map(text).join(' or ')}</h3>`
      : '',
    requestBody?.description ? `<p>${prose(requestBody.description)}</p>` : '',
    requestBody ? `<pre>${typeText(Object.values(requestBody.content)[0]?.schema ?? {})}</pre>` : '',
    ...Object.entries(responses)
      .filter(([status]) => status.startsWith('2'))
      .map(([status, answer]) => answerOf(status, answer)),
    '</details>',
  ].join('\n');
}

const row = ({ name, in: where, required, description, schema }: Parameter): string => {
  const notes = [
    limitsOf(schema),
    'default' in schema ? `default ${JSON.stringify(schema.default)}` : '',
    description ?? schema.description ?? '',
  ];
  const remarks = notes.filter(note => note !== '').join('; ');
  return `<tr><td><code>${text(name)}</code>${required ? '' : '?'}</td><td>${where}</td><td><code>${typeText(schema)}</code></td><td>${prose(remarks)}</td></tr>`;
};

function answerOf(status: string, { description, content }: { description: string; content?: Record<string, { schema: Json }> }): string {
  const bodies = Object.entries(content ?? {}).map(
    ([type, { schema }]) => `<h3>${status}: ${text(type)}</h3><pre>${typeText(schema)}</pre>`,
  );
  return bodies.length === 0 ? `<h3>${status}: ${text(description)}</h3>` : bodies.join('\n');
}
