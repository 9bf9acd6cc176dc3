/** Maps a job of Cloudtask to a JobConfig, field by field. */
import { isDeepStrictEqual } from 'node:util';
import type { JobConfig } from '../../../actors/job/types.ts';
import { quotedValue } from '../../../actors/schedule/error.ts';
import { Problem } from '../../http/errors.ts';
import { allFields, laidOver, type Mapping, type Term, updateOf } from '../commands/partial-update.ts';
import { entriesOf, revealed, variablesIn } from './env-list.ts';
import { ComparedFields, type JobChangeBody, type NewJobBody } from './job-body.ts';
import { configJson, type JobText, jobTextOf, misfireOf, type SwitchedJob } from './job-json.ts';
import { type NotifySetting, notifyOf, notifySettingOf } from './notify-setting.ts';
import { itemsOf, type ScheduleItem, withItems } from './schedule-item.ts';

/** What a request alone does not say. */
export interface Unsaid {
  /** Draws the id of a schedule. */
  drawId(): string;
  /** The zone of a job that names none: that of its runtime. */
  zone: string;
}

type Body = Omit<NewJobBody, 'jobid' | 'name' | 'filename' | 'filecode'>;
type JobTerm = Term<Body, SwitchedJob>;

const term = (fields: readonly string[], means: (body: Body, config: JobConfig) => Partial<JobConfig>): JobTerm => ({
  fields,
  means: (body, { config }) => ({ config: { ...config, ...means(body, config) } }),
});

/**
 * The meaning of each field of this dialect but the file, which is looked for. Schedules other than
 * calendars do not change.
 */
const termsOf = ({ drawId, zone }: Unsaid): readonly JobTerm[] => [
  term(['location'], ({ location }) => ({ pool: location })),
  term(['groupid'], ({ groupid }) => ({ group: groupid || null })),
  term(['servers'], ({ servers }) => ({ servers })),
  term(['cmd'], ({ cmd }) => ({ command: cmd, shell: true })),
  term(['env'], ({ env }, config) => withEnv(config, revealed(env, config.env))),
  term(['description'], ({ description }) => ({ description })),
  term(['timeout'], ({ timeout }) => ({ timeoutMs: timeout * 1_000 })),
  { fields: ['enabled'], means: ({ enabled }) => ({ enabled: enabled === 1 }) },
  term(['schedule'], ({ schedule }, config) => withSchedule(config, schedule, drawId)),
  term(['notifysetting.succeed', 'notifysetting.failed'], ({ notifysetting }, config) => withNotices(config, notifysetting)),
  term(['timezone'], ({ timezone }) => ({ timeZone: timezone || zone })),
  term(['misfire', 'misfire.policy', 'misfire.limit'], ({ misfire }, config) => ({
    misfire: misfireOf(misfire),
    ...withText(config, { misfire }),
  })),
  term(['failover'], ({ failover }) => ({ failover })),
  term(['cpus'], ({ cpus }, { resources }) => ({ resources: { ...resources, cpus } })),
  term(['memorymb'], ({ memorymb }, { resources }) => ({ resources: { ...resources, memoryMB: memorymb } })),
];

const withText = ({ dialect }: JobConfig, text: Partial<JobText>): Pick<JobConfig, 'dialect'> => ({
  dialect: { ...dialect, cloudtask: { ...jobTextOf({ dialect }), ...text } },
});

/** A list that says no more than the variables is not kept beside them: it holds secrets. */
function withEnv(config: JobConfig, entries: string[]): Pick<JobConfig, 'env' | 'dialect'> {
  const env = variablesIn(entries);
  const isPlain = isDeepStrictEqual(entriesOf(env, undefined), entries);
  return { env, ...withText(config, { env: isPlain ? undefined : entries }) };
}

function withSchedule(config: JobConfig, schedule: readonly ScheduleItem[], drawId: () => string) {
  const shown = itemsOf(config.schedules, jobTextOf(config).schedule);
  const isShown = (item: ScheduleItem) => shown.some(each => isDeepStrictEqual(each, item));
  const items = schedule.map(item => (item.id !== '' || isShown(item) ? item : { ...item, id: drawId() }));
  return { schedules: withItems(config.schedules, items, shown), ...withText(config, { schedule: items }) };
}

/** A text that says no more than the configuration is not kept beside it. */
function withNotices(config: JobConfig, setting: NotifySetting): Pick<JobConfig, 'notify' | 'dialect'> {
  const notify = notifyOf(setting);
  const isPlain = isDeepStrictEqual(notifySettingOf(notify), setting);
  const isNone = config.notify === undefined && !notify.succeed && !notify.failed;
  return { ...(!isNone && { notify }), ...withText(config, { notifysetting: isPlain ? undefined : setting }) };
}

/**
 * A new job over `bare`, the defaults of every surface with its identity. Throws Problem `invalid`
 * and `conflict`.
 */
export function newJob(body: NewJobBody, bare: JobConfig, unsaid: Unsaid): SwitchedJob {
  const terms = termsOf(unsaid);
  return laidOver<Body, SwitchedJob>(
    { config: { ...bare, placement: 'sticky', keepDirectory: true }, enabled: true },
    body,
    terms,
    allFields(terms),
  );
}

/**
 * The job after a change; a field that equals the present answer changes nothing. Throws Problem
 * `invalid` and `conflict`.
 */
export function changedJob(body: JobChangeBody, before: SwitchedJob, unsaid: Unsaid): SwitchedJob {
  refuseRenamed('jobid', body.jobid?.toLowerCase(), before.config.id);
  refuseRenamed('name', body.name, before.config.name);
  const { jobid: _, name: _name, filename: _filename, filecode: _filecode, ...raw } = body;
  const mapping: Mapping<Body, SwitchedJob> = { json: configJson, schema: ComparedFields, terms: termsOf(unsaid), absent: 'unchanged' };
  return updateOf(raw, before, mapping).after;
}

/** Throws Problem `invalid`. */
export function refuseRenamed(field: string, came: string | undefined, stays: string): void {
  if (came === undefined || came === stays) return;
  throw new Problem('invalid', `${field} is ${quotedValue(came)}, but must stay ${quotedValue(stays)}.`, { field });
}
