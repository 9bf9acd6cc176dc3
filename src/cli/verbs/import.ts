/** `troupe import`: definitions of another system. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { EXIT, Failure } from '../failure.ts';
import { type ImportRules, type Planned, plannedOf } from '../import/cloudtask-documents.ts';
import { createImport, type ImportedDocument } from '../import/cloudtask-import.ts';
import { documentsIn } from '../import/documents.ts';
import { flagOption, textOption } from '../options.ts';
import { type Family, type VerbCall, verb } from '../verb.ts';
import { singleLine } from '../width.ts';

const cloudtask = verb({
  summary: "makes pools and jobs from exports of Cloudtask's database (sys_locations, sys_jobs); a second import changes nothing",
  takes: ['FILE…'],
  options: {
    files: textOption('DIR', 'a directory with the job files, each under its name'),
    'time-zone': textOption('ZONE', 'of pools whose runtime names none: that of the old agents, such as Asia/Shanghai'),
    update: flagOption('changes pools and jobs that are here with other values, which stay otherwise'),
    'dry-run': flagOption('says what it would do, and does nothing'),
  },
  examples: [
    'mongoexport --db cloudtask --collection sys_jobs --out sys_jobs.json',
    'troupe import cloudtask sys_locations.json sys_jobs.json --files ./jobs --dry-run',
  ],
  async run(call) {
    const { values, words, client, shell } = call;
    const { isRecipient } = await import('../../protocol/rest/fields.ts');
    const today = new Date(shell.clock.now()).toISOString().slice(0, 'YYYY-MM-DD'.length);
    const read = await Promise.all(words.map(file => plansIn(file, { today, timeZone: values['time-zone'], isRecipient })));
    const bring = createImport({
      client,
      signal: shell.signal,
      files: values.files,
      dryRun: values['dry-run'] ?? false,
      update: values.update ?? false,
    });
    const done = new Map<Read, ImportedDocument>();
    // A job needs its runtime, whichever file has it.
    for (const kind of ['document', 'runtime', 'job'] as const) {
      for (const each of read.flat().filter(one => one.kind === kind)) {
        shell.signal.throwIfAborted();
        done.set(each, await brought(each, bring));
      }
    }
    const results = read.flat().flatMap(each => done.get(each) ?? []);
    await call.print.show(results, () => linesOf(call, results, values['dry-run'] ?? false));
    return results.some(({ result }) => result === 'refused' || result === 'differs') ? EXIT.failed : EXIT.done;
  },
});

export const imports: Family = {
  summary: 'definitions of another system',
  verbs: { cloudtask },
};

/** A document, and what becomes of it. */
interface Read {
  file: string;
  line: number;
  kind: ImportedDocument['kind'];
  /** Undefined: it cannot be read, for this reason. */
  planned: Planned | undefined;
  reason: string;
}

async function plansIn(path: string, rules: ImportRules): Promise<Read[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new Failure(EXIT.usage, `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const file = basename(path);
  return (await documentsIn(text)).map(document => {
    const { line } = document;
    if ('error' in document) return { file, line, kind: 'document', planned: undefined, reason: document.error };
    const planned = plannedOf(document.value, rules);
    const reason = planned ? '' : 'it is neither a job (sys_jobs) nor a runtime (sys_locations)';
    return { file, line, kind: planned?.kind ?? 'document', planned, reason };
  });
}

async function brought({ file, line, kind, planned, reason }: Read, bring: ReturnType<typeof createImport>): Promise<ImportedDocument> {
  const about = { file, line, kind, name: planned?.name ?? '', notes: planned?.notes ?? [] };
  return planned ? { ...about, ...(await bring(planned)) } : { ...about, result: 'refused', reason };
}

const RESULTS = ['created', 'updated', 'unchanged', 'differs', 'refused'] as const;

function linesOf({ print }: Pick<VerbCall, 'print'>, results: readonly ImportedDocument[], isDryRun: boolean): string[] {
  const lines = results.flatMap(({ file, line, kind, name, result, reason, notes }) => {
    const why = result === 'differs' ? `differs in ${reason}; it stays as it is` : `${result}${reason === '' ? '' : `: ${reason}`}`;
    return [
      singleLine(`${file}:${line}  ${[kind, name].filter(word => word !== '').join(' ')}  ${why}`),
      ...notes.map(note => singleLine(`  not carried over: ${note}`)),
    ];
  });
  const counts = RESULTS.flatMap(result => {
    const count = results.filter(each => each.result === result).length;
    return count === 0 ? [] : [`${count} ${result}`];
  });
  return [
    ...lines,
    `${isDryRun ? 'dry run: ' : ''}${counts.join(', ') || 'no documents'}`,
    ...print.prose('Logs, users, states, and who created or changed what and when are not carried over.', ''),
  ];
}
