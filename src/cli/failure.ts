/** Failure of a verb: an exit code for scripts, and one sentence for people. */

export const EXIT = {
  done: 0,
  /** Tried without success: the job failed, a name is unknown, the center has a fault. */
  failed: 1,
  /** A flag, a value or a field is wrong. */
  usage: 2,
  /** The center refuses: not logged in, not now, not in this state. */
  refused: 3,
  /** No center answers. */
  unreachable: 4,
  /** Ended by SIGINT or SIGTERM: 128 and the number of the signal, as in shells. */
  interrupted: 130,
  terminated: 143,
} as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** Ends the verb. The message is shown unchanged, without a stack. */
export class Failure extends Error {
  readonly exit: Exit;
  /** The center's code, and the field that is wrong. */
  readonly code: string;
  readonly field: string | undefined;

  constructor(exit: Exit, message: string, about: { code?: string; field?: string | undefined; cause?: unknown } = {}) {
    super(message, { cause: about.cause });
    this.exit = exit;
    this.code = about.code ?? (Object.keys(EXIT).find(name => EXIT[name as keyof typeof EXIT] === exit) as string);
    this.field = about.field;
  }
}

/** The arguments of `troupe` are wrong. */
export const wrongUsage = (message: string): Failure => new Failure(EXIT.usage, message);

/** The verb was interrupted. The message names work that goes on without it. */
export class Interrupted extends Failure {
  constructor(message: string, cause?: unknown) {
    super(EXIT.interrupted, message, { code: 'interrupted', cause });
  }
}

/** Exit code of a verb that this signal ended. */
export const exitOf = (signal: string): Exit => (signal === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted);
