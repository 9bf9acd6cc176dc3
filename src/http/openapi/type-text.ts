/**
 * A schema as short HTML in the syntax of TypeScript, with links to named schemas. All texts are
 * escaped.
 */
import type { Json } from './schemas.ts';

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const literal = (value: unknown): string => escaped(JSON.stringify(value));

/** HTML. `indent`: white space of the enclosing lines. */
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

/** The remark behind a field: limits, default, description. */
function remark(schema: Json): string {
  const [first = {}] = (schema.anyOf ?? []) as Json[];
  const fallback = 'default' in schema ? `default ${JSON.stringify(schema.default)}` : '';
  const notes = [limitsOf(schema) || limitsOf(first), fallback, String(schema.description ?? '')].filter(note => note !== '');
  return notes.length === 0 ? '' : ` <i>${escaped(notes.join('; '))}</i>`;
}

export function limitsOf(schema: Json): string {
  const { minimum: least, maximum, minLength: shortest, maxLength: longest, maxItems: most, format } = schema;
  const highest = typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  const limits: string[] = [];
  if (typeof format === 'string') limits.push(format);
  if (least !== undefined && highest !== undefined) limits.push(`${least} to ${highest}`);
  else if (highest !== undefined) limits.push(`at most ${highest}`);
  else if (typeof least === 'number' && least !== 0 && least > -Number.MAX_SAFE_INTEGER) limits.push(`from ${least}`);
  if (longest !== undefined) limits.push(`${shortest ?? 0} to ${longest} characters`);
  if (most !== undefined) limits.push(`at most ${most}`);
  return limits.join(', ');
}
