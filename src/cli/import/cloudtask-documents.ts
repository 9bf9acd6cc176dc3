/**
 * Documents of Cloudtask's database as bodies of the Cloudtask surface, which takes most fields as
 * they are. A note says what of a document cannot be carried over.
 */

type Json = Record<string, unknown>;

export interface Planned {
  kind: 'runtime' | 'job';
  /** Name of the job or the runtime; '' where it has none. */
  name: string;
  body: Json;
  notes: string[];
}

export interface ImportRules {
  /** `2026-11-22` */
  today: string;
  /** Of runtimes that name none. */
  timeZone: string | undefined;
  /** Whether a text is a mail or webhook address. */
  isRecipient(text: string): boolean;
}

/** Undefined: neither a job nor a runtime. */
export function plannedOf(document: Json, rules: ImportRules): Planned | undefined {
  if ('msgid' in document) return undefined;
  if ('jobid' in document) return jobOf(document, rules);
  if ('location' in document && !('cmd' in document)) return runtimeOf(document, rules);
  return undefined;
}

const JOB_FIELDS =
  'jobid name location groupid servers filename cmd env description timeout enabled schedule notifysetting timezone misfire failover cpus memorymb';
/** The center has its own, or the summary names them. */
const JOB_PASSED_OVER = '_id __v files filecode stat execerr execat nextat createuser createat edituser editat version cron';
const RUNTIME_FIELDS = 'location description owners group servers timezone';
const RUNTIME_PASSED_OVER = '_id __v server createuser createat edituser editat';

function jobOf(document: Json, rules: ImportRules): Planned {
  const body = taken(document, JOB_FIELDS);
  const notes = unknownIn(document, `${JOB_FIELDS} ${JOB_PASSED_OVER}`);
  if (typeof body.jobid === 'string') body.jobid = body.jobid.toLowerCase();
  const earlier = Array.isArray(document.files) ? document.files.length : 0;
  if (earlier > 0) notes.push(`${earlier} earlier ${earlier === 1 ? 'file' : 'files'}`);
  if (Array.isArray(body.schedule)) body.schedule = body.schedule.map((item, index) => scheduleOf(item, index, rules.today, notes));
  if (isObject(body.notifysetting)) body.notifysetting = noticesOf(body.notifysetting, rules, notes);
  return { kind: 'job', name: textIn(body.name), body, notes };
}

function runtimeOf(document: Json, rules: ImportRules): Planned {
  const body = taken(document, RUNTIME_FIELDS);
  const notes = unknownIn(document, `${RUNTIME_FIELDS} ${RUNTIME_PASSED_OVER}`);
  if (Array.isArray(body.owners))
    body.owners = addressesIn(body.owners, rules, owner => notes.push(`owner "${owner}", which is no address`));
  if (Array.isArray(body.group)) body.group = body.group.map(group => (isObject(group) ? taken(group, 'id name owners') : group));
  if (body.servers === undefined) body.servers = serversIn(document.server);
  if (Array.isArray(body.servers) && body.servers.length === 0) notes.push('that no host may join: without servers every host may');
  if (rules.timeZone !== undefined) body.timezone ??= rules.timeZone;
  return { kind: 'runtime', name: textIn(body.location), body, notes };
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The named fields; null is as good as absent. */
const taken = (document: Json, names: string): Json =>
  Object.fromEntries(names.split(' ').flatMap(name => (document[name] == null ? [] : [[name, document[name]]])));

const unknownIn = (document: Json, known: string): string[] =>
  Object.keys(document)
    .filter(field => !known.split(' ').includes(field))
    .map(field => `unknown field "${field}"`);

/** Names and addresses of a document's servers, each once. */
const serversIn = (server: unknown): string[] => [
  ...new Set(
    (Array.isArray(server) ? server : [])
      .flatMap(each => (isObject(each) ? [each.name, each.ipaddr] : []))
      .filter((entry): entry is string => typeof entry === 'string' && entry !== ''),
  ),
];

function addressesIn(list: readonly unknown[], { isRecipient }: ImportRules, leaveOut: (wrong: string) => void): string[] {
  return list.flatMap(each => {
    const address = String(each).trim();
    if (isRecipient(address)) return [address];
    if (address !== '') leaveOut(address);
    return [];
  });
}

/** A schedule that is over would be refused: it is kept, switched off. */
function scheduleOf(item: unknown, index: number, today: string, notes: string[]): unknown {
  if (!isObject(item) || item.enabled !== 1) return item;
  const [, month, day, year] = /^(\d\d)\/(\d\d)\/(\d{4})$/.exec(textIn(item.enddate)) ?? [];
  if (year === undefined || `${year}-${month}-${day}` >= today) return item;
  notes.push(`schedule[${index}], which ended on ${item.enddate}: it is switched off`);
  return { ...item, enabled: 0 };
}

/** Without what is no address; without any address it is switched off. */
function noticesOf(setting: Json, rules: ImportRules, notes: string[]): Json {
  return Object.fromEntries(
    Object.entries(setting).map(([kind, notice]) => {
      if (!isObject(notice)) return [kind, notice];
      const to = addressesIn(textIn(notice.to).split(';'), rules, wrong =>
        notes.push(`notifysetting.${kind}.to "${wrong}", which is no address`),
      );
      const isMute = notice.enabled === true && to.length === 0;
      if (isMute) notes.push(`notifysetting.${kind}, which has no address: it is switched off`);
      return [kind, { ...notice, to: to.join(';'), ...(isMute && { enabled: false }) }];
    }),
  );
}

/** The fields of a body that an answer of the center shows with another value. */
export const differences = (body: Json, answer: Json): string[] => Object.keys(body).filter(field => !agrees(body[field], answer[field]));

/** Whether `shown` has all that `wanted` says. An id that is drawn may be any. */
function agrees(wanted: unknown, shown: unknown): boolean {
  if (wanted === null || wanted === undefined) return true;
  if (Array.isArray(wanted))
    return Array.isArray(shown) && shown.length === wanted.length && wanted.every((each, index) => agrees(each, shown[index]));
  if (!isObject(wanted)) return wanted === shown;
  return isObject(shown) && Object.entries(wanted).every(([name, value]) => (name === 'id' && value === '') || agrees(value, shown[name]));
}
