/** `troupe centers`: the centers of this user by name, and the current one. */
import { addCenter, centerFor, readLogins, removeCenter, switchCenter } from '../account.ts';
import { EXIT } from '../failure.ts';
import { type Family, type VerbCall, verb } from '../verb.ts';
import { showList } from './common.ts';

interface Row {
  name: string | null;
  url: string;
  current: boolean;
  /** When the stored login expires; null: there is none. */
  loginUntil: string | null;
}

const list = verb({
  summary: 'lists the centers that have a name or a login here; "*" marks the one that verbs use',
  takes: [],
  options: {},
  async run(call) {
    const { env } = call.shell;
    const [kept, asked] = await Promise.all([readLogins(env), centerFor({ env, named: undefined })]);
    const named = Object.entries(kept.centers).map(([name, url]) => ({ name, url }));
    const others = [...new Set([asked.url, ...Object.keys(kept.logins)])].filter(url => !named.some(one => one.url === url));
    const items = [...named, ...others.map(url => ({ name: null, url }))].map(
      (one): Row => ({ ...one, current: one.url === asked.url, loginUntil: kept.logins[one.url]?.expiresAt ?? null }),
    );
    await showList<Row>(call, { items, next: null }, 'centers', [
      { head: '', cell: row => (row.current ? '*' : '') },
      { head: 'NAME', cell: row => row.name ?? '' },
      { head: 'URL', cell: row => row.url },
      { head: 'LOGGED IN UNTIL', cell: row => call.print.instant(row.loginUntil) },
    ]);
    warnOfEnvironment(call);
    return EXIT.done;
  },
});

const add = verb({
  summary: 'gives the address of a center a name; the first one becomes the current center',
  takes: ['NAME', 'URL'],
  options: {},
  examples: ['troupe centers add prod https://troupe.example.org', 'troupe centers use prod', 'troupe --center prod jobs'],
  async run({ print, shell, words: [name = '', url = ''] }) {
    const added = await addCenter(shell.env, name, url);
    await print.show(added, () => [`${name} is ${added.url}`]);
    return EXIT.done;
  },
});

const use = verb({
  summary: 'makes a center the current one, for verbs without --center',
  takes: ['CENTER|URL'],
  options: {},
  async run(call) {
    const { print, shell, words } = call;
    const { name = null, url } = await switchCenter(shell.env, words[0] ?? '');
    await print.show({ name, url }, () => [`the current center is ${name === null ? url : `${name}, ${url}`}`]);
    warnOfEnvironment(call);
    return EXIT.done;
  },
});

const remove = verb({
  summary: 'removes the name of a center, and its login from this machine',
  takes: ['CENTER'],
  options: {},
  async run({ print, shell, words: [name = ''] }) {
    await removeCenter(shell.env, name);
    await print.show({ name, removed: true }, () => [`removed ${name}`]);
    return EXIT.done;
  },
});

/** Warns that TROUPE_URL wins over the current center: users easily forget it. */
function warnOfEnvironment({ print, shell }: Pick<VerbCall, 'print' | 'shell'>): void {
  if (shell.env.TROUPE_URL && !print.json) shell.notify(`TROUPE_URL is set and wins over the current center: ${shell.env.TROUPE_URL}`);
}

export const centers: Family = { summary: 'names of centers, and the current one', verbs: { list, add, use, remove } };
