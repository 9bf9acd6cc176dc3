/** Texts of agents as frames of the protocol. */
import { FromAgent, type Hello } from '../protocol/agent.ts';

type AgentFrame = ReturnType<typeof FromAgent.parse>;
/** A frame after the welcome that concerns more than the socket itself. */
export type WorkFrame = Exclude<AgentFrame, Hello | { type: 'ping' | 'pong' | 'agentLost' | 'prove' }>;

/** The frame, or a sentence that says what is wrong with the text. */
export function decodeAgentFrame(text: string): { frame: AgentFrame } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'the frame is not JSON' };
  }
  const parsed = FromAgent.safeParse(value);
  if (parsed.success) return { frame: parsed.data };
  const [issue] = parsed.error.issues;
  const type = typeof value === 'object' && value !== null && 'type' in value ? String(value.type).slice(0, 40) : 'untyped';
  return { problem: `the "${type}" frame does not fit the protocol: ${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'unknown'}` };
}
