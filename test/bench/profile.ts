/**
 * Where processor time went, from the profiles that `bun --cpu-prof` writes: by function alone, and
 * with all that it called.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number }; children?: number[] }[];
  samples: number[];
  /** Microseconds since the sample before. */
  timeDeltas: number[];
}

const ROWS = 30;
/** Twice the usual span between samples, microseconds. */
const SPAN_MAX = 2_000;

/** One table per profile in the folder; the longest-lived process last. */
export function whereTimeWent(folder: string): string {
  const profiles = readdirSync(folder)
    .filter(name => name.endsWith('.cpuprofile'))
    .map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile)
    .sort((a, b) => a.samples.length - b.samples.length);
  return profiles.map(tableOf).join('\n\n') || '  no profile was written: the center did not stop by itself';
}

function tableOf({ nodes, samples, timeDeltas }: Profile): string {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id] as const)));
  const alone = new Map<string, number>();
  const withCallees = new Map<string, number>();
  let total = 0;
  for (const [place, id] of samples.entries()) {
    // No sample exists while the program waits, and the next frame did not cause the gap.
    const spent = Math.min(timeDeltas[place] ?? 0, SPAN_MAX);
    total += spent;
    add(alone, names.get(id), spent);
    const stack = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) stack.add(names.get(at) ?? '');
    for (const name of stack) add(withCallees, name, spent);
  }
  const left = rowsOf(alone, total);
  const right = rowsOf(withCallees, total);
  const width = Math.max(...left.map(row => row.length));
  return [
    `${Math.round(total / 1000)} ms sampled; by function alone, and with what it called:`,
    ...left.map((row, place) => `  ${row.padEnd(width)}   ${right[place] ?? ''}`),
  ].join('\n');
}

function add(sums: Map<string, number>, name: string | undefined, spent: number): void {
  sums.set(name ?? '', (sums.get(name ?? '') ?? 0) + spent);
}

function nameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const file = url.split('/').slice(-3).join('/');
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`;
}

function rowsOf(sums: Map<string, number>, total: number): string[] {
  return [...sums]
    .sort(([, a], [, b]) => b - a)
    .slice(0, ROWS)
    .map(([name, spent]) => `${((spent * 100) / total).toFixed(1).padStart(5)} %  ${name}`);
}
