/**
 * A fault that prevents this host from starting any run. The error carries its class to the center.
 */
import type { HostFaultCode } from '../protocol/agent.ts';

/** The host is at fault, not the run, and nothing of the run has begun. */
export class HostFaultError extends Error {
  readonly fault: HostFaultCode;
  constructor(fault: HostFaultCode, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.fault = fault;
  }
}
