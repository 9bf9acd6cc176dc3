/** Errors of the runtime. Callers branch on the class or its `code`. */

/** The command was understood and changes nothing: "job/nightly is disabled". */
export class Refused extends Error {
  readonly code: 'refused' | 'quarantined' = 'refused';
  readonly address: string;
  readonly command: string;
  constructor(address: string, command: string, reason: string, code: 'refused' | 'quarantined' = 'refused') {
    super(`${address} ${reason}`);
    this.address = address;
    this.command = command;
    this.code = code;
  }
}

export class NoSuchActor extends Error {
  readonly code = 'noSuchActor';
  readonly address: string;
  constructor(address: string) {
    super(address.replace('/', ' not found: '));
    this.address = address;
  }
}

/** A limit was reached; the caller may retry later. */
export class Busy extends Error {
  readonly code = 'busy';
}

/**
 * Nothing can be committed now, or this runtime is stopping. Whether an asked command was committed
 * may be unknown.
 */
export class Unavailable extends Error {
  readonly code = 'unavailable';
}

/** The actor's turn failed: a fault of ours, logged with its cause. */
export class TurnFailed extends Error {
  readonly code = 'turnFailed';
}

/**
 * The document cannot be decoded: a newer version wrote it, or it is damaged. It stays unchanged,
 * and its actor behaves as in quarantine.
 */
export class Unreadable extends Error {
  readonly code = 'quarantined';
  readonly address: string;
  /** Goes after the address: "was written by version 2 of …". */
  readonly reason: string;
  constructor(address: string, reason: string) {
    super(`${address} ${reason}`);
    this.address = address;
    this.reason = reason;
  }
}

/** The actor is gone, busy, out of reach or refuses: a later pass may try again. */
export const isPassing = (error: unknown): boolean => [NoSuchActor, Refused, Unavailable, Busy].some(kind => error instanceof kind);
