/** The error of a handshake that fails by the agent's fault. */

/** The handshake of this agent fails. `code` is sent to it; agents treat some codes as final. */
export class HandshakeRejected extends Error {
  readonly code:
    | 'protocol'
    | 'invalid'
    | 'signature'
    | 'unknownKey'
    | 'joinTokenInvalid'
    | 'noPool'
    | 'notInPool'
    | 'wrongPool'
    | 'retired'
    | 'identityInUse';
  constructor(code: HandshakeRejected['code'], message: string) {
    super(message);
    this.code = code;
  }
}
