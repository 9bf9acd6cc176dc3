/** Maps apps between the fields of ElasticJob-Cloud and AppConfig. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { AppConfig } from '../../../actors/app/types.ts';
import { joinWords } from '../../lib/command-words.ts';
import { appScript, cpus, flag, memoryMB, name, text, whole } from '../../protocol/rest/fields.ts';
import { secret } from '../../protocol/rest/secrets.ts';
import type { AppFieldNames } from '../commands/apps.ts';
import { type Mapping, type Term, updateOf } from '../commands/partial-update.ts';
import type { CloudApp } from './answers.ts';
import { ofApp } from './notes.ts';

const defaults = { cpuCount: 1, memoryMB: 128, appCacheEnable: true, eventTraceSamplingCount: 0 } as const;

const sha256 = () => {
  const rule = '64 hex digits';
  return z
    .string(rule)
    .regex(/^[0-9a-fA-F]{64}$/, rule)
    .transform(digest => digest.toLowerCase());
};

/** `list` is a route of this dialect and no valid name of an app. */
const appName = () => name().refine(value => value !== 'list', 'a name other than "list"');
const appURL = () => secret(text(4096, 1));

/** POST: absent fields get their defaults, unknown fields are ignored. */
export const PublishBody = z.object(
  {
    appName: ofApp('appName', appName()),
    appURL: ofApp('appURL', appURL()),
    bootstrapScript: ofApp('bootstrapScript', appScript()),
    cpuCount: ofApp('cpuCount', cpus().nullish()),
    memoryMB: ofApp('memoryMB', memoryMB().nullish()),
    appCacheEnable: ofApp('appCacheEnable', flag().nullish()),
    eventTraceSamplingCount: ofApp('eventTraceSamplingCount', whole(0, 2 ** 31 - 1).nullish()),
    sha256: ofApp('sha256', sha256().nullish()),
    props: ofApp('props', z.object({ sha256: ofApp('sha256', sha256()).nullish() }, 'an object').nullish()),
  },
  'a JSON object',
);

/** PUT: an absent field keeps its value, null restores its default. */
export const ModifyBody = PublishBody.partial({ appURL: true, bootstrapScript: true });

/** The name alone is validated here; the rest is compared with the app first. */
export const NamedAppBody = z.looseObject({ appName: ofApp('appName', appName()) }, 'a JSON object');

export const appFields: AppFieldNames = { url: 'appURL', command: 'bootstrapScript' };

export function appConfigOf(body: z.output<typeof PublishBody>): AppConfig {
  return {
    name: body.appName,
    url: body.appURL,
    sha256: body.sha256 ?? body.props?.sha256 ?? null,
    command: body.bootstrapScript,
    resources: { cpus: body.cpuCount ?? defaults.cpuCount, memoryMB: body.memoryMB ?? defaults.memoryMB },
    cache: body.appCacheEnable ?? defaults.appCacheEnable,
    traceEvery: body.eventTraceSamplingCount ?? defaults.eventTraceSamplingCount,
    description: '',
  };
}

/** The meaning of each field of this dialect. */
const TERMS: readonly Term<z.output<typeof ModifyBody>, AppConfig>[] = [
  { fields: ['appURL'], means: ({ appURL }, { url }) => ({ url: appURL ?? url }) },
  { fields: ['bootstrapScript'], means: ({ bootstrapScript }, { command }) => ({ command: bootstrapScript ?? command }) },
  { fields: ['sha256', 'props.sha256'], means: ({ sha256, props }) => ({ sha256: sha256 ?? props?.sha256 ?? null }) },
  { fields: ['cpuCount'], means: ({ cpuCount }, { resources }) => ({ resources: { ...resources, cpus: cpuCount ?? defaults.cpuCount } }) },
  {
    fields: ['memoryMB'],
    means: ({ memoryMB }, { resources }) => ({ resources: { ...resources, memoryMB: memoryMB ?? defaults.memoryMB } }),
  },
  { fields: ['appCacheEnable'], means: body => ({ cache: body.appCacheEnable ?? defaults.appCacheEnable }) },
  {
    fields: ['eventTraceSamplingCount'],
    means: body => ({ traceEvery: body.eventTraceSamplingCount ?? defaults.eventTraceSamplingCount }),
  },
];

/** Changes of the app `before`. Throws Problem `invalid`. */
export function changesOf(raw: Record<string, unknown>, before: AppConfig): Partial<Omit<AppConfig, 'name'>> {
  const mapping: Mapping<z.output<typeof ModifyBody>, AppConfig> = {
    json: appJson,
    schema: ModifyBody.partial(),
    terms: TERMS,
    absent: 'unchanged',
  };
  const { name: _, ...after } = updateOf(raw, before, mapping).after;
  return Object.fromEntries(Object.entries(after).filter(([field, value]) => !isDeepStrictEqual(value, before[field as keyof AppConfig])));
}

/** In the original's order. */
export const appJson = ({ name, url, command, resources, cache, traceEvery }: AppConfig): CloudApp => ({
  appName: name,
  appURL: url,
  bootstrapScript: typeof command === 'string' ? command : joinWords(command),
  cpuCount: resources.cpus,
  memoryMB: resources.memoryMB,
  appCacheEnable: cache,
  eventTraceSamplingCount: traceEvery,
});
