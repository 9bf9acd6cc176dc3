/** Every verb, in the order of the help. */
import type { Entry } from '../verb.ts';
import { agent } from './agent.ts';
import { apps } from './apps.ts';
import { backup, restore } from './backup.ts';
import { center } from './center.ts';
import { centers } from './centers.ts';
import { createCompletion } from './completion.ts';
import { executions } from './executions.ts';
import { files } from './files.ts';
import { history } from './history.ts';
import { hosts } from './hosts.ts';
import { imports } from './import.ts';
import { jobs } from './jobs.ts';
import { joinToken } from './join-token.ts';
import { keeper } from './keeper.ts';
import { login, logout } from './login.ts';
import { logs } from './logs.ts';
import { next } from './next.ts';
import { pools } from './pools.ts';
import { ready } from './ready.ts';
import { tokens } from './tokens.ts';
import { trigger } from './trigger.ts';
import { up } from './up.ts';
import { watch } from './watch.ts';
import { why } from './why.ts';

export const VERBS: Record<string, Entry> = {
  up,
  center,
  agent,
  keeper,
  login,
  logout,
  centers,
  apps,
  files,
  import: imports,
  jobs,
  trigger,
  executions,
  logs,
  watch,
  why,
  history,
  next,
  hosts,
  pools,
  'join-token': joinToken,
  tokens,
  ready,
  backup,
  restore,
  completion: createCompletion(() => VERBS),
};
