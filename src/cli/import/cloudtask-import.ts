/** Brings planned jobs and runtimes of Cloudtask to the center, one by one. */
import { join } from 'node:path';
import type { Client, CloudtaskAnswer } from '../client.ts';
import { EXIT, Failure } from '../failure.ts';
import { digestsOf, openedFile, uploadFile } from '../file-content.ts';
import { differences, type Planned } from './cloudtask-documents.ts';

type Json = Record<string, unknown>;

export interface ImportedDocument {
  file: string;
  line: number;
  kind: Planned['kind'] | 'document';
  name: string;
  /** `differs`: it is there with other values, which stay. */
  result: 'created' | 'unchanged' | 'updated' | 'differs' | 'refused';
  /** Why it is refused, or the fields that differ. */
  reason: string;
  /** What cannot be carried over. */
  notes: string[];
}
type Outcome = Pick<ImportedDocument, 'result' | 'reason'>;

export interface ImportOptions {
  client: Client;
  signal: AbortSignal;
  /** Directory of job files. */
  files: string | undefined;
  /** Says what would be done, and does nothing. */
  dryRun: boolean;
  /** Changes what is there and differs. */
  update: boolean;
}

export function createImport({ client, signal, files, dryRun, update }: ImportOptions) {
  /** Made here, or of a dry run what would be. */
  const made = new Set<string>();

  /**
   * Binds a job to the content of its file: that of the directory, which is uploaded, or the newest
   * of the center. Resolves with the reason why there is none.
   */
  async function bind(body: Json): Promise<string | undefined> {
    const { filename } = body;
    if (typeof filename !== 'string' || filename === '') return undefined;
    if (files !== undefined && !/[/\\]/.test(filename)) {
      const path = join(files, filename);
      const file = await openedFile(path).catch(() => undefined);
      if (file) {
        try {
          const filecode = dryRun
            ? (await digestsOf(file, signal)).md5
            : (await uploadFile(client, file, { name: filename, signal })).filecode;
          body.filecode = filecode;
          return undefined;
        } catch (error) {
          // A name or a size that the center does not take is the fault of this document alone.
          if (error instanceof Failure && error.exit === EXIT.usage) return error.message;
          throw error;
        } finally {
          await file.close();
        }
      }
    }
    const { items } = await client.list('GET /v1/files', { query: { name: filename, limit: 1 } }).catch(() => ({ items: [] }));
    if (items.length > 0) return undefined;
    const where = files === undefined ? 'the center; --files names a directory that has it' : `${files} nor in the center`;
    return `filename is "${filename}", which is not in ${where}`;
  }

  const pathOf = ({ kind, name, body }: Planned) =>
    kind === 'job' ? `jobs/${encodeURIComponent(String(body.jobid))}` : `runtimes/${encodeURIComponent(name)}`;
  const shownIn = ({ kind }: Planned, { data }: CloudtaskAnswer): Json => (data as Record<string, Json>)[kind] ?? {};

  async function create(planned: Planned): Promise<Outcome> {
    if (dryRun) return foreseen(planned);
    const { status, error } = await client.cloudtask(`POST ${planned.kind}s`, planned.body);
    return status === 201 ? { result: 'created', reason: '' } : { result: 'refused', reason: error };
  }

  /** What the center would say of a new one, as far as it can be asked without making it. */
  async function foreseen({ kind, name, body }: Planned): Promise<Outcome> {
    const key = `${kind} ${name}`;
    const isTaken = made.has(key) || (kind === 'job' && (await client.cloudtask(`GET jobs?q=${encodeURIComponent(name)}`)).data);
    const jobs = typeof isTaken === 'object' && isTaken !== null ? (isTaken as { jobs: { name: string }[] }).jobs : [];
    if (isTaken === true || jobs.some(job => job.name === name)) return { result: 'refused', reason: `there is a ${key} already` };
    const { location } = body;
    if (kind === 'job' && !made.has(`runtime ${location}`)) {
      const runtime = await client.cloudtask(`GET runtimes/${encodeURIComponent(String(location))}`);
      if (runtime.status !== 200) return { result: 'refused', reason: `runtime not found: ${location}` };
    }
    made.add(key);
    return { result: 'created', reason: '' };
  }

  return async (planned: Planned): Promise<Outcome> => {
    const { kind, name, body } = planned;
    const isNamed = name !== '' && (kind === 'runtime' || typeof body.jobid === 'string');
    if (!isNamed) return { result: 'refused', reason: `${kind === 'job' ? 'name and jobid' : 'location'} must be texts` };
    const missing = kind === 'job' ? await bind(body) : undefined;
    if (missing !== undefined) return { result: 'refused', reason: missing };
    const present = await client.cloudtask(`GET ${pathOf(planned)}`);
    if (present.status !== 200) return create(planned);
    const fields = differences(body, shownIn(planned, present));
    if (fields.length === 0) return { result: 'unchanged', reason: '' };
    if (!update) return { result: 'differs', reason: fields.join(', ') };
    if (dryRun) return { result: 'updated', reason: fields.join(', ') };
    const { status, error } = await client.cloudtask(`PUT ${pathOf(planned)}`, body);
    return status === 200 ? { result: 'updated', reason: fields.join(', ') } : { result: 'refused', reason: error };
  };
}
