/** The machine of every kind. Only threads that run actors load them, and XState with them. */
import type { AnyStateMachine } from 'xstate';
import { appMachine } from './app/machine.ts';
import { executionMachine } from './execution/machine.ts';
import { hostMachine } from './host/machine.ts';
import { jobMachine } from './job/machine.ts';
import { noticeMachine } from './notice/machine.ts';
import { poolMachine } from './pool/machine.ts';
import { tableMachine } from './table/machine.ts';
import type { Kind } from './types.ts';

export const machines = {
  job: jobMachine,
  execution: executionMachine,
  app: appMachine,
  host: hostMachine,
  pool: poolMachine,
  table: tableMachine,
  notice: noticeMachine,
} as const satisfies Record<Kind, AnyStateMachine>;
