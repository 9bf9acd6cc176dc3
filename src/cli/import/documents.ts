/**
 * Documents of an export of MongoDB: extended JSON in either version, as a list, one a line, or
 * over several lines each. Each keeps its line, by which people find it.
 */

export type ExportedDocument = { line: number } & ({ value: Record<string, unknown> } | { error: string });

interface Piece {
  /** From 1. */
  line: number;
  text: string;
}

export async function documentsIn(text: string): Promise<ExportedDocument[]> {
  const { EJSON } = await import('bson');
  return piecesOf(text.replace(/^\ufeff/, '')).map(({ line, text: piece }) => {
    try {
      const value: unknown = EJSON.parse(piece);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return { line, error: 'it must be a JSON object' };
      // Dates and ids as texts.
      return { line, value: JSON.parse(JSON.stringify(value)) };
    } catch (error) {
      return { line, error: `it is not extended JSON: ${error instanceof Error ? error.message : error}` };
    }
  });
}

function piecesOf(text: string): Piece[] {
  const lines = text.split('\n');
  if (!text.trimStart().startsWith('[') && lines.some(isDocument))
    return lines.flatMap((line, index) => (line.trim() === '' ? [] : [{ line: index + 1, text: line }]));
  return scanned(text);
}

/** A line of a document over several lines begins with white space. */
function isDocument(line: string): boolean {
  if (!line.startsWith('{')) return false;
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

const STRING = /"(?:[^"\\]|\\[\s\S])*"/y;
/** A number or a word. */
const OTHER = /[^\s,:"[\]{}]+/y;

/** The values of a list, or those that stand one behind the other. */
function scanned(text: string): Piece[] {
  const pieces: Piece[] = [];
  const outside = text.trimStart().startsWith('[') ? 1 : 0;
  let depth = 0;
  let line = 1;
  let open: { line: number; at: number } | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] ?? '';
    if (letter === '\n') line += 1;
    else if (letter === '{' || letter === '[') {
      if (depth === outside) open = { line, at };
      depth += 1;
    } else if (letter === '}' || letter === ']') {
      depth -= 1;
      if (open && depth <= outside) {
        pieces.push({ line: open.line, text: text.slice(open.at, at + 1) });
        open = undefined;
      }
    } else {
      const end = endOf(letter === '"' ? STRING : OTHER, text, at);
      if (!open && end > at) pieces.push({ line, text: text.slice(at, end) });
      at = Math.max(at, end - 1);
    }
  }
  if (open) pieces.push({ line: open.line, text: text.slice(open.at) });
  return pieces;
}

/** Where the match at `at` ends; `at` without one. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return at + (pattern.exec(text)?.[0].length ?? 0);
}
