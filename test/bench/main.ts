/** `bun run bench [name …]`: runs the benches one after the other, prints a table and writes `bench.json`. */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { BenchResult } from './report.ts';

const BENCHES: Record<string, () => Promise<{ bench(): Promise<BenchResult> }>> = {
  runs: () => import('./runs.ts'),
  latency: () => import('./latency.ts'),
  turns: () => import('./turns.ts'),
  cron: () => import('./cron.ts'),
  footprint: () => import('./footprint.ts'),
};

const asked = process.argv.slice(2);
const unknown = asked.filter(name => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`there is no bench "${unknown.join('", "')}"; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}

const results: BenchResult[] = [];
for (const name of asked.length > 0 ? asked : Object.keys(BENCHES)) {
  const file = await BENCHES[name]?.();
  if (!file) continue;
  const result = await file.bench();
  results.push(result);
  console.log(`${result.name.padEnd(10)} ${result.met ? 'met   ' : 'missed'} goal: ${result.goal}`);
  for (const [figure, value] of Object.entries(result.figures)) console.log(`  ${figure.padEnd(24)} ${value}`);
}
const conditions = {
  at: new Date().toISOString(),
  bun: Bun.version,
  cores: cpus().length,
  processor: cpus()[0]?.model ?? 'unknown',
  memoryMB: Math.round(totalmem() / 2 ** 20),
};
console.log(`bun ${conditions.bun}, ${conditions.cores} cores (${conditions.processor}), ${conditions.memoryMB} MB`);
writeFileSync('bench.json', `${JSON.stringify({ conditions, results }, null, 2)}\n`);
process.exit(results.every(result => result.met) ? 0 : 1);
