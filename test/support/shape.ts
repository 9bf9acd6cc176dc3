/**
 * The shape of what a program stores, as its sources declare it: a text that follows each type from
 * where it is used to where it stands. Names of types, comments, layout and limits play no part, so
 * the text changes only when what is stored may have changed.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const STRINGS_AND_COMMENTS = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
/** Limits of sizes and counts: they do not change the stored form. */
const LIMITS = /\b(text|count|argument|min|max)\([^()]*\)/g;

export const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** Of declarations by name, by file. Throws where one is missing. */
export function shapeOf(roots: Record<string, string[]>): string {
  const numbers = new Map<string, number>();
  const shapes: string[] = [];

  function visit(path: string, name: string): string | undefined {
    const source = sourceOf(path);
    const texts = declarationsOf(source, name);
    if (texts.length === 0) {
      const from = importOf(source, path, name);
      return from && visit(from.path, from.name);
    }
    const id = `${path} ${name}`;
    if (!numbers.has(id)) {
      const number = numbers.size;
      numbers.set(id, number);
      shapes[number] = '';
      shapes[number] = texts.map(text => follow(path, source, text)).join(' ');
    }
    return `#${numbers.get(id)}`;
  }

  function follow(path: string, source: string, text: string): string {
    return outsideStrings(text, code => {
      const named = code
        .replace(LIMITS, '$1()')
        .replace(/\b([a-z]\w*)\.([A-Z]\w*)\b/g, (found, space: string, name: string) => {
          const from = new RegExp(`import \\* as ${space} from '(\\.[^']*)'`).exec(source)?.[1];
          return (from && visit(join(dirname(path), from), name)) ?? found;
        })
        .replace(/(?<![.\w#])[A-Z][A-Za-z0-9]*\b(?!_)/g, name => visit(path, name) ?? name);
      return named
        .replace(/\s+/g, ' ')
        .replace(/ ?([^\w$ ]) ?/g, '$1')
        .replace(/[,;](?=[}\])])/g, '')
        .replace(/(?<=[=(<:,])\|/g, '');
    });
  }

  for (const [path, names] of Object.entries(roots)) {
    for (const name of names) if (visit(path, name) === undefined) throw new Error(`${path} declares no ${name}`);
  }
  return shapes.join('\n');
}

const sources = new Map<string, string>();
/** Without comments. */
function sourceOf(path: string): string {
  const known = sources.get(path);
  if (known !== undefined) return known;
  if (!existsSync(join(ROOT, path))) throw new Error(`${path} is not there`);
  const text = readFileSync(join(ROOT, path), 'utf8').replace(STRINGS_AND_COMMENTS, found => (found.startsWith('/') ? '' : found));
  sources.set(path, text);
  return text;
}

/** Changes code alone. */
const outsideStrings = (text: string, change: (code: string) => string): string => {
  const strings = text.match(STRINGS_AND_COMMENTS) ?? [];
  return text
    .split(STRINGS_AND_COMMENTS)
    .map((code, place) => change(code) + (strings[place] ?? ''))
    .join('');
};

/** A name may be a type and a value. The text behind the name, up to the end of each. */
function declarationsOf(source: string, name: string): string[] {
  const starts = source.matchAll(new RegExp(`^(?:export )?(?:interface|type|const|function) ${name}\\b`, 'gm'));
  return [...starts].map(({ 0: found, index }) => source.slice(index + found.length, endOf(source, index + found.length)));
}

/** Behind `;`, or behind a brace of the outermost level that a line begins with. */
function endOf(source: string, from: number): number {
  let depth = 0;
  for (let at = from; at < source.length; at++) {
    const char = source[at] as string;
    if (`'"\``.includes(char)) {
      STRINGS_AND_COMMENTS.lastIndex = at;
      at = STRINGS_AND_COMMENTS.exec(source)?.index === at ? STRINGS_AND_COMMENTS.lastIndex - 1 : at;
      STRINGS_AND_COMMENTS.lastIndex = 0;
    } else if ('({['.includes(char)) depth++;
    else if (')}]'.includes(char)) depth--;
    if (depth === 0 && (char === ';' || (char === '}' && source[at - 1] === '\n'))) return at;
  }
  throw new Error(`no end of what begins with ${source.slice(from, from + 60)}`);
}

function importOf(source: string, path: string, name: string): { path: string; name: string } | undefined {
  for (const [, names = '', from = ''] of source.matchAll(/^(?:import|export)(?: type)? \{([^}]*)\} from '(\.[^']*)'/gm)) {
    for (const one of names.split(',')) {
      const [given = '', as = given] = one
        .trim()
        .replace(/^type /, '')
        .split(' as ');
      if (as === name) return { path: join(dirname(path), from), name: given };
    }
  }
  return undefined;
}
