/**
 * A schema as a short text, much as TypeScript would write it, with links to what has a name. All
 * of it is escaped.
 */
import type { Json } from './schemas.ts';

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const literal = (value: unknown): string => escaped(JSON.stringify(value));

/** HTML. `indent` is how deep it stands. */
export function typeText(schema: Json, indent = ''): string {
  const { $ref, type } = schema;
  if (typeof $ref === 'string') return linkTo($ref.slice($ref.lastIndexOf('/') + 1));
  if ('const' in schema) return literal(schema.const);
  const values = schema.enum as unknown[] | undefined;
  if (values) return values.map(literal).join(' | ');
  const others = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
  if (others) return [...new Set(others.map(each => typeText(each, indent)))].join(' | ');
  if (Array.isArray(type)) return type.map(each => typeText({ ...schema, type: each }, indent)).join(' | ');
  if (type === 'array') return `${itemText((schema.items ?? {}) as Json, indent)}[]`;
  if (type === 'object') return objectText(schema, indent);
  return typeof type === 'string' ? type : 'anything';
}

export const linkTo = (name: string): string => `<a href="#schema-${escaped(name)}">${escaped(name)}</a>`;

const itemText = (item: Json, indent: string): string => {
  const isChoice = ['anyOf', 'oneOf', 'enum'].some(word => word in item) || Array.isArray(item.type);
  return isChoice ? `(${typeText(item, indent)})` : typeText(item, indent);
};

function objectText(schema: Json, indent: string): string {
  const fields = Object.entries((schema.properties ?? {}) as Record<string, Json>);
  const required = (schema.required ?? []) as string[];
  const more = schema.additionalProperties;
  const deeper = `${indent}  `;
  const lines = fields.map(([name, field]) => {
    const isOptional = !required.includes(name) && !('default' in field);
    return `${deeper}<b>${escaped(name)}</b>${isOptional ? '?' : ''}: ${typeText(field, deeper)}${remark(field)}`;
  });
  if (typeof more === 'object' && more !== null) {
    const values = Object.keys(more).length === 0 ? 'anything' : typeText(more as Json, deeper);
    if (fields.length === 0) return `{ [name]: ${values} }`;
    lines.push(`${deeper}[name]: ${values}`);
  }
  return lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n${indent}}`;
}

/** What stands behind a field: its default, its limits, its words. */
function remark(schema: Json): string {
  const [first = {}] = (schema.anyOf ?? []) as Json[];
  const fallback = 'default' in schema ? `default ${JSON.stringify(schema.default)}` : '';
  const said = [limitsOf(schema) || limitsOf(first), fallback, String(schema.description ?? '')].filter(word => word !== '');
  return said.length === 0 ? '' : ` <i>${escaped(said.join('; '))}</i>`;
}

export function limitsOf(schema: Json): string {
  const { minimum: least, maximum, minLength: shortest, maxLength: longest, maxItems: most, format } = schema;
  const highest = typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  const words: string[] = [];
  if (typeof format === 'string') words.push(format);
  if (least !== undefined && highest !== undefined) words.push(`${least} to ${highest}`);
  else if (highest !== undefined) words.push(`at most ${highest}`);
  else if (typeof least === 'number' && least !== 0 && least > -Number.MAX_SAFE_INTEGER) words.push(`from ${least}`);
  if (longest !== undefined) words.push(`${shortest ?? 0} to ${longest} characters`);
  if (most !== undefined) words.push(`at most ${most}`);
  return words.join(', ');
}
