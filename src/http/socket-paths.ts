/**
 * The WebSockets of the center: their paths and frames. `upgrades.ts` serves them, the reference
 * describes them.
 */
import { z } from 'zod';
import { FromAgent, FromCenter } from '../protocol/agent.ts';
import { FeedFrame, FeedQuery, TicketFrame } from '../protocol/rest/fact.ts';
import type { Tag } from '../protocol/rest/tags.ts';

export interface SocketPath {
  tag: Tag;
  /** One sentence. */
  summary: string;
  description: string;
  query?: z.ZodType;
  /** Frames are JSON texts, one value each. */
  toCenter: z.ZodType;
  fromCenter: () => z.ZodType;
}

export const SOCKETS = {
  '/v1/feed': {
    tag: 'feed',
    summary: 'Facts as they happen, over a WebSocket or as server-sent events.',
    description:
      'Programs send their token as a header; a browser sends a ticket as its first frame (POST /v1/feed/tickets). Close codes: 4008, the watcher is too slow, with its last cursor as the reason; 4001, its login has ended; 1008, its frame or query is invalid.',
    query: FeedQuery,
    toCenter: TicketFrame.meta({ id: 'TicketFrame' }),
    fromCenter: FeedFrame,
  },
  '/v1/agents': {
    tag: 'agents',
    summary: 'The connection of an agent, a WebSocket.',
    description:
      'The agent signs the nonce of the challenge in its hello, then receives commands and sends reports and output. The protocol has a version and is for `troupe agent` alone.',
    toCenter: z.union([FromAgent]).meta({ id: 'AgentFrame' }),
    fromCenter: () => z.union([FromCenter]).meta({ id: 'CenterFrame' }),
  },
} as const satisfies Record<string, SocketPath>;
