/**
 * Checks that an agent could start a job's processes. The kernel limits the bytes of each argument
 * and variable, so this builds and measures the start of the largest shard, with the longest
 * possible names.
 */
import { executionDecisions } from '../../../actors/execution/decide.ts';
import { runSpec } from '../../../actors/execution/run-spec.ts';
import type { RunSpec } from '../../../actors/execution/types.ts';
import { runConfigOf } from '../../../actors/job/run-config.ts';
import type { JobConfig } from '../../../actors/job/types.ts';
import { Problem } from '../../http/errors.ts';
import { CommandProblem, splitCommand } from '../../lib/command-words.ts';
import { ARGUMENT_BYTES_MAX, START_BYTES_MAX } from '../../protocol/agent.ts';
import { APP_COMMAND_MAX } from '../../protocol/rest/fields.ts';

/** A surface's names of the fields that become arguments and variables of a process. */
export interface StartFields {
  command: string;
  /** Null on a surface that has no environment. */
  env: string | null;
  parameter: string;
  shardParameters: string;
}

/**
 * Largest sum of the starts of one execution, bytes of JSON: they are pending in one document, and
 * MongoDB accepts at most 16 MB.
 */
const STARTS_MAX = 8 * 1024 * 1024;

const bytesOf = (text: string): number => Buffer.byteLength(text);
/** Bytes that the kernel adds to a text: its NUL and the pointer to it. */
const TEXT_EXTRA = 9;
/**
 * The longest suffix of an execution id (`<job>@<instant>~<random>~backfill`), host name and host
 * id, and an unreachable attempt.
 */
const LONGEST = { id: '@20261122T080000.000Z~000000~backfill', host: 'h'.repeat(100), attempt: 9_999_999 } as const;

/** Throws Problem with the field when a start would exceed a limit of the agent or the kernel. */
export function checkStart(config: JobConfig, fields: StartFields): void {
  const shard = largestShard(config);
  const execution = executionDecisions.initialContext({
    type: 'execution.create',
    id: `${config.name}${LONGEST.id}`,
    trigger: 'schedule',
    dueAt: 0,
    config: runConfigOf({ ...config, shards: { ...config.shards, total: 1 } }),
    app: null,
    retryOf: null,
    blockedReason: null,
    at: 0,
    chance: 0,
    salt: '',
  });
  const [fresh] = execution.shards;
  if (!fresh) return;
  const { attempt, host } = LONGEST;
  const spec = runSpec(
    { ...execution, config: runConfigOf(config) },
    { ...fresh, item: shard.item, parameter: shard.parameter, attempt, host, hostName: host },
  );

  const refuse = (field: string, bytes: number, max: number, as: string): never => {
    throw new Problem('invalid', `${field} takes ${bytes} bytes ${as}, but must take at most ${max}.`, { field });
  };
  const words = wordsOf(spec);
  for (const word of words) {
    if (bytesOf(word) > ARGUMENT_BYTES_MAX) refuse(fields.command, bytesOf(word), ARGUMENT_BYTES_MAX, 'in one argument');
  }
  for (const [name, value] of Object.entries(spec.env)) {
    const bytes = bytesOf(name) + 1 + bytesOf(value);
    if (bytes <= ARGUMENT_BYTES_MAX) continue;
    const field = OWN[name] ? fields[OWN[name]] : `${fields.env ?? 'env'}.${name}`;
    refuse(field, bytesOf(value), ARGUMENT_BYTES_MAX - bytesOf(name) - 1, `in the variable ${name} of its processes`);
  }
  const context = spec.lastArgument === undefined ? 0 : bytesOf(spec.lastArgument);
  if (context > ARGUMENT_BYTES_MAX) {
    const field = JSON.stringify(config.parameter).length >= JSON.stringify(shard.parameter).length ? 'parameter' : 'shardParameters';
    const sentence = `${fields[field]} is too long: the sharding context, the last argument of each process, takes ${context} bytes of JSON, but must take at most ${ARGUMENT_BYTES_MAX}.`;
    throw new Problem('invalid', sentence, { field: fields[field] });
  }
  const own = config.command === null ? APP_COMMAND_MAX : bytesOf(JSON.stringify(spec.command));
  const texts = [...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`), spec.lastArgument ?? ''];
  const all = texts.reduce((sum, text) => sum + bytesOf(text) + TEXT_EXTRA, own + words.length * TEXT_EXTRA);
  if (all > START_BYTES_MAX) {
    const sentence = `arguments and environment of a process take ${all} bytes, but must take at most ${START_BYTES_MAX}.`;
    throw new Problem('invalid', sentence, { field: fields.env ?? fields.parameter });
  }
  checkTogether(config, { bytes: bytesOf(JSON.stringify(spec)), hasContext: config.shardingContext }, shard.parameter, fields);
}

/**
 * The arguments that an agent makes of the command. A command that cannot be split is one argument
 * here; another check refuses it.
 */
function wordsOf({ command, shell }: Pick<RunSpec, 'command' | 'shell'>): string[] {
  if (typeof command !== 'string') return command;
  if (shell) return [command];
  try {
    return splitCommand(command).words;
  } catch (problem) {
    if (problem instanceof CommandProblem) return [command];
    throw problem;
  }
}

/** All starts of an execution: the shared part, and the parameter of each shard. */
function checkTogether(config: JobConfig, start: { bytes: number; hasContext: boolean }, largest: string, fields: StartFields): void {
  const ownOf = (parameter: string) => {
    const text = JSON.stringify(parameter);
    return bytesOf(text) + (start.hasContext ? bytesOf(JSON.stringify(text)) : 0);
  };
  const own = Object.values(config.shards.parameters).reduce((sum, parameter) => sum + ownOf(parameter), 0);
  const all = (start.bytes - ownOf(largest)) * config.shards.total + own;
  if (all <= STARTS_MAX) return;
  const sentence = `the starts of ${config.shards.total} shards take ${all} bytes of JSON together, command, environment and parameters in each of them, but must take at most ${STARTS_MAX}.`;
  throw new Problem('invalid', sentence, { field: own * 2 > all ? fields.shardParameters : fields.parameter });
}

/** Variables with the value of a field of the job. */
const OWN: Record<string, 'parameter' | 'shardParameters'> = {
  TROUPE_JOB_PARAMETER: 'parameter',
  TROUPE_SHARD_PARAMETER: 'shardParameters',
};

/** The shard with the largest parameter, as JSON. */
function largestShard({ shards }: JobConfig): { item: number; parameter: string } {
  let largest = { item: Math.max(0, shards.total - 1), parameter: '' };
  let most = 0;
  for (const [item, parameter] of Object.entries(shards.parameters)) {
    const bytes = bytesOf(JSON.stringify(parameter));
    if (bytes <= most) continue;
    most = bytes;
    largest = { item: Number(item), parameter };
  }
  return largest;
}
