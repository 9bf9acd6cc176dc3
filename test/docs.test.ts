/** The pages match the code: links, paths, tables, examples, settings, tests. */
import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type JobSchedule, localText, nextDues, parseSchedule } from '../actors/schedule/index.ts';
import { PAGES, TABLE_NAMES, tablesIn, withTables } from '../deploy/tables.ts';
import { bareJob } from '../src/api/commands/job-defaults.ts';

const TOP = join(import.meta.dir, '..');
const WORDS_MAX = 900;
const read = (path: string): string => readFileSync(join(TOP, path), 'utf8');
const readme = read('README.md');
const pages = ['README.md', 'actors/README.md', 'src/README.md', 'src/store/README.md', 'test/README.md']
  .concat(PAGES.map(path => relative(TOP, path)))
  .map(path => ({ path, text: read(path) }));
const codeIn = (text: string): string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(([, word = '']) => word);
const withoutBlocks = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '');
const section = (text: string, title: string): string => text.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
/** Cells of the rows of all tables of a page, without heads. */
const rowsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter(line => /^\| (?!-)/.test(line))
    .map(line => line.split(' | ').map(cell => cell.replace(/^\| | \|$/g, '').trim()));

/** As GitHub makes them of headings. */
const anchorsOf = (text: string): string[] =>
  [...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

describe('the pages', () => {
  test('the pages link to pages and headings that exist', () => {
    const broken = pages.flatMap(({ path, text }) =>
      [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = '']) => target)
        .filter(target => !/^https?:/.test(target))
        .filter(target => {
          const [file = '', anchor] = target.split('#');
          const to = file === '' ? path : join(dirname(path), file);
          if (!existsSync(join(TOP, to))) return true;
          return anchor !== undefined && !anchorsOf(read(to)).includes(anchor);
        })
        .map(target => `${path}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('the pages name files and folders that exist', () => {
    const named = pages.flatMap(({ path, text }) =>
      codeIn(text)
        .filter(word => /^(actors|src|test|deploy)\/[\w./-]*$/.test(word))
        .map(word => ({ path, word })),
    );
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter(({ word }) => !existsSync(join(TOP, word)))).toEqual([]);
  });

  test('the pages name functions where they are', () => {
    const named = pages.flatMap(({ text }) =>
      [...text.matchAll(/`((?:actors|src|test)\/[\w./-]+\.ts)` \(`(\w+)`\)/g)].map(([, path = '', name = '']) => [path, name]),
    );
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter(([path = '', name = '']) => !new RegExp(`\\b${name}\\b`).test(read(path)))).toEqual([]);
  });

  test('the pages of operators are all linked from the README and from their index', () => {
    const names = PAGES.map(path => relative(join(TOP, 'deploy'), path)).filter(name => name !== 'README.md');
    const index = read('deploy/README.md');
    expect(names.filter(name => !readme.includes(`](deploy/${name})`) || !index.includes(`](${name})`))).toEqual([]);
  });

  test('the pages have the tables that the schemas make; bun run docs writes them', () => {
    const texts = PAGES.map(path => readFileSync(path, 'utf8'));
    expect(texts.flatMap(tablesIn).sort()).toEqual([...TABLE_NAMES].sort());
    for (const [index, text] of texts.entries())
      expect({ page: PAGES[index], text }).toEqual({ page: PAGES[index], text: withTables(text) });
  });

  test('the pages describe every variable that the sources name', () => {
    const sources = readdirSync(join(TOP, 'src'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));
    const used = new Set(
      sources.flatMap(name => [...read(join('src', name)).matchAll(/\bTROUPE_[A-Z][A-Z_]*[A-Z]\b/g)].map(([word]) => word)),
    );
    const written = PAGES.map(path => readFileSync(path, 'utf8')).join('\n');
    expect(used.size).toBeGreaterThan(50);
    expect([...used].filter(word => !OWN_USE.includes(word) && !written.includes(`\`${word}\``)).sort()).toEqual([]);
  });
});

describe('metrics', () => {
  test('metrics are all on their page', () => {
    const sources = readdirSync(join(TOP, 'src'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));
    const names = sources.flatMap(name =>
      [...read(join('src', name)).matchAll(/'(troupe_[a-z_]+[a-z])'/g)].map(([, metric = '']) => metric),
    );
    const page = codeIn(read('deploy/metrics.md')).map(word => word.replace(/\{.*/, ''));
    expect(new Set(names).size).toBeGreaterThan(20);
    expect([...new Set(names)].filter(name => !page.includes(name))).toEqual([]);
    expect(page.filter(word => /^troupe_[a-z_]+$/.test(word) && !names.includes(word))).toEqual([]);
  });
});

/** Variables between our own programs, which operators do not set. */
const OWN_USE = ['TROUPE_RUN_TAG'];

describe('the README', () => {
  test(`the README has at most ${WORDS_MAX} words`, () => {
    expect(readme.split(/\s+/).filter(word => word !== '').length).toBeLessThanOrEqual(WORDS_MAX);
  });

  test('the README has every folder of src/ on its map', () => {
    const folders = readdirSync(join(TOP, 'src'), { withFileTypes: true }).filter(entry => entry.isDirectory());
    const map = codeIn(section(readme, 'Map of the code'));
    expect(folders.map(({ name }) => `src/${name}/`).filter(path => !map.includes(path))).toEqual([]);
  });
});

describe('policies', () => {
  test('policies have the defaults that every surface starts from', () => {
    const table = rowsOf(section(read('deploy/policies.md'), 'Every field'));
    const shown = new Map(table.map(([field = '', value = '']) => [field.replaceAll('`', ''), value.replaceAll('`', '')]));
    const flat = (value: object, before = ''): [string, unknown][] =>
      Object.entries(value).flatMap(([name, each]) =>
        typeof each === 'object' && each !== null && !Array.isArray(each) && Object.keys(each).length > 0
          ? flat(each, `${before}${name}.`)
          : [[before + name, each] as [string, unknown]],
      );
    const {
      dialect: _,
      name: _name,
      id: _id,
      pool: _pool,
      timeZone: _zone,
      schedules,
      ...defaults
    } = bareJob({
      name: 'a',
      id: '',
      pool: 'default',
      timeZone: 'UTC',
    });
    expect(schedules).toEqual([]);
    const wrong = flat(defaults).filter(([field, value]) => !(shown.get(field)?.split(';')[0] === JSON.stringify(value)));
    expect(wrong).toEqual([]);
  });
});

describe('guarantees', () => {
  const promises = read('deploy/guarantees.md')
    .split('\n## Where they end\n')[0]
    ?.split(/^- If /m)
    .slice(1)
    .map(item => item.split('\n\n')[0] ?? '');
  const testOf = (item: string) => /\n {2}(?:Within|When): .+\. Test: `(test\/[^`]+)` (.+)$/m.exec(item)?.slice(1) ?? [];

  test('guarantees have a time and a test each', () => {
    expect(promises?.length).toBeGreaterThan(50);
    expect(promises?.filter(item => testOf(item).length === 0)).toEqual([]);
  });

  test('guarantees name tests that exist', () => {
    const missing = promises?.map(testOf).filter(([path = '', name = '']) => {
      if (!existsSync(join(TOP, path))) return true;
      const names = [...read(path).matchAll(/(['"`])(?:rows? [\d, ]+: )?((?:(?!\1).)+)\1/g)].map(([, , text = '']) => text);
      return !names.some(text => new RegExp(`^${text.split('%s').map(RegExp.escape).join('.+')}$`).test(name));
    });
    expect(missing).toEqual([]);
  });
});

describe('schedules', () => {
  const ZONE = 'Europe/Berlin';
  const FROM = Date.parse('2026-11-21T23:00:00Z');
  const scheduleOf = (text: string): JobSchedule | undefined => {
    if (text.startsWith('{')) return { type: 'calendar', ...JSON.parse(text) } as JobSchedule;
    if (text.startsWith('@') || text.split(' ').length === 5) return { type: 'crontab', crontab: text };
    return text.split(' ').length > 5 ? { type: 'cron', cron: text } : undefined;
  };
  const examples = rowsOf(read('deploy/schedules.md')).flatMap(cells => {
    const [written = '', , due = ''] = cells;
    const schedule = scheduleOf(/^`(.+)`$/.exec(written)?.[1] ?? '');
    return schedule === undefined || !/^\d{4}-/.test(due) ? [] : [{ written, schedule, due: due.split(', ') }];
  });

  test('schedules have an example of each type and each turnmode', () => {
    const kinds = examples.map(({ schedule }) => (schedule.type === 'calendar' ? String(schedule.turnmode) : schedule.type));
    expect([...new Set(kinds)].sort()).toEqual(['1', '2', '3', '4', '5', '6', 'cron', 'crontab']);
    expect(examples.length).toBeGreaterThan(18);
  });

  test.each(examples)('the schedule $written is due as the page says', ({ schedule, due }) => {
    const dues = nextDues(parseSchedule(schedule, ZONE), FROM, due.length);
    expect(dues.map(at => localText(at, ZONE).slice(0, 19).replace('T', ' '))).toEqual(due);
  });
});
