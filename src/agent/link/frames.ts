/** Frames of the agents' protocol as texts, seen from the agent. */
import { z } from 'zod';
import { AGENT_FRAME_MAX, type FromAgent, FromCenter, Rejected } from '../../protocol/agent.ts';

export type OutgoingFrame = ReturnType<typeof FromAgent.parse>;
export type AnyCenterFrame = ReturnType<typeof FromCenter.parse>;
export type Challenge = Extract<AnyCenterFrame, { type: 'challenge' }>;
export type Welcome = Extract<AnyCenterFrame, { type: 'welcome' }>;
/** A frame behind the handshake. */
export type CenterFrame = Exclude<AnyCenterFrame, { type: 'challenge' | 'proof' | 'welcome' | 'refused' | 'ping' | 'pong' }>;

/** A command whose key and run alone can be read. */
const CommandName = Rejected.pick({ key: true, run: true }).extend({ type: z.enum(['start', 'stop']) });
const PROBLEM_MAX = 500;

/**
 * The frame, or the problem with it; and the response, where it is a command with a readable key.
 */
export function decodeFrame(text: string): { frame: AnyCenterFrame } | { problem: string; rejected?: Rejected } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'it is not JSON' };
  }
  const frame = FromCenter.safeParse(value);
  if (frame.success) return { frame: frame.data };
  const [issue] = frame.error.issues;
  const problem = `${issue?.path.join('.') || 'the frame'}: ${issue?.message ?? 'unknown'}`.slice(0, PROBLEM_MAX);
  const { data: name } = CommandName.safeParse(value);
  return name
    ? { problem, rejected: { type: 'rejected', key: name.key, run: name.run, reason: 'unreadable', message: problem } }
    : { problem };
}

/**
 * A control character takes six bytes in JSON. An output frame that is too large for that reason
 * has U+FFFD in place of them.
 */
export function encodeFrame(frame: OutgoingFrame): string {
  const text = JSON.stringify(frame);
  // At most three bytes of UTF-8 for each UTF-16 unit.
  if (frame.type !== 'output' || text.length * 3 <= AGENT_FRAME_MAX || sizeOf(text) <= AGENT_FRAME_MAX) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return JSON.stringify({ ...frame, text: frame.text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '\uFFFD') });
}

const sizeOf = (text: string) => new TextEncoder().encode(text).length;
