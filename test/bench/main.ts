/**
 * `bun run bench [--quick] [--profile] [--minutes=N] [name …]`: runs each bench in a process of its
 * own, so that none warms or burdens another. It prints one table of goals and results and writes
 * `bench.json`. Exit code 1 when a goal was missed. With `--profile` each center also prints where
 * its time went: run it alone, for its results are not to be quoted. `--minutes` shortens the
 * benches that watch for a while (`soak`).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import about from '../../package.json' with { type: 'json' };
import { BENCHES, ONLY_WHEN_NAMED } from './benches.ts';
import { whereTimeWent } from './profile.ts';
import { type BenchResult, table } from './report.ts';

type Outcome = BenchResult | { name: string; failed: string };

const minutes = process.argv.find(word => word.startsWith('--minutes='));
const asked = process.argv.slice(2).filter(word => word !== '--quick' && word !== '--profile' && word !== minutes);
const profiled = process.argv.includes('--profile');
const quick = process.argv.includes('--quick');
if (minutes !== undefined && !(Number(minutes.slice('--minutes='.length)) > 0)) {
  console.error(`"${minutes}" is not --minutes=N with a number above 0`);
  process.exit(2);
}
const unknown = asked.filter(name => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(
    `there is no bench "${unknown.join('", "')}"; there are ${Object.keys(BENCHES).join(', ')}, and --quick for a small form of each, --profile to see where the time goes`,
  );
  process.exit(2);
}

const results: Outcome[] = [];
for (const name of asked.length > 0 ? asked : Object.keys(BENCHES).filter(each => !ONLY_WHEN_NAMED.has(each))) {
  console.log(`${name} …`);
  for (const result of await runOne(name)) {
    results.push(result);
    if ('failed' in result) console.log(`  failed: ${result.failed}`);
    else for (const [figure, value] of Object.entries(result.figures)) console.log(`  ${figure.padEnd(28)} ${value}`);
  }
}

const conditions = {
  at: new Date().toISOString(),
  revision: Bun.spawnSync(['git', 'rev-parse', '--short', 'HEAD']).stdout.toString().trim() || 'unknown',
  size: quick ? 'quick: for trying, no figures to quote' : 'full',
  bun: Bun.version,
  sqlite: String(new DatabaseSync(':memory:').prepare('select sqlite_version() as version').get()?.version),
  packages: { ...about.dependencies, 'graphile-worker': about.devDependencies['graphile-worker'], croner: about.devDependencies.croner },
  cores: cpus().length,
  processor: cpus()[0]?.model ?? 'unknown',
  memoryMB: Math.round(totalmem() / 2 ** 20),
};
console.log(`\n${table(results)}`);
console.log(
  `\n${conditions.size}; bun ${conditions.bun}, SQLite ${conditions.sqlite}, ${conditions.cores} cores (${conditions.processor}), ${conditions.memoryMB} MB, revision ${conditions.revision}`,
);
writeFileSync('bench.json', `${JSON.stringify({ conditions, results }, null, 2)}\n`);
process.exit(results.every(result => 'judged' in result && result.judged.every(({ met }) => met)) ? 0 : 1);

/** Its results, or why there are none. */
async function runOne(name: string): Promise<Outcome[]> {
  let received: BenchResult[] | undefined;
  const profileTo = profiled ? mkdtempSync(join(tmpdir(), 'troupe-profile-')) : undefined;
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, 'one.ts'), name, ...(quick ? ['--quick'] : []), ...(minutes === undefined ? [] : [minutes])],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...(profileTo === undefined ? {} : { BENCH_PROFILE: profileTo }) },
      ipc: message => {
        received = message as BenchResult[];
      },
    },
  );
  const code = await child.exited;
  if (profileTo !== undefined) {
    console.log(whereTimeWent(profileTo));
    rmSync(profileTo, { recursive: true, force: true });
  }
  return received ?? [{ name, failed: `its process ended with ${child.signalCode ?? code}; what it said stands above` }];
}
