/** A welcomed session: what the agent sends, one frame a message or one message a turn. */
import type { Clock } from '../../lib/clock.ts';
import type { Connection } from '../../lib/dialer.ts';
import { type AppRules, STRICT_RULES } from '../../lib/host-policy.ts';
import { AGENT_FRAME_MAX } from '../../protocol/agent.ts';
import type { AliveNotice } from '../../protocol/keeper.ts';
import type { CenterFiles } from '../ports.ts';
import { encodeFrame, type OutgoingFrame, type Welcome } from './frames.ts';

export interface CenterSession {
  send(frame: OutgoingFrame): void;
  /** Bytes not yet handed to the network. */
  buffered(): number;
  /** For the keeper, while the session is up. */
  notice: AliveNotice | undefined;
  apps: AppRules;
  /** Undefined: the center has sent no token for its files. */
  files: CenterFiles | undefined;
}

/**
 * Sends single frames, or where the center takes them, those of one event-loop turn in a message.
 */
export function createCenterSession(
  clock: Clock,
  socket: Connection,
  center: string,
  welcome: Welcome,
  isUp: () => boolean,
): CenterSession {
  let batch: string[] = [];
  let batchBytes = 0;

  const flush = () => {
    // Frames of an ended session are sent again in the next one.
    if (!isUp() || batch.length === 0) return;
    const text = batch.join('\n');
    batch = [];
    batchBytes = 0;
    socket.send(text);
  };

  const add = (text: string) => {
    // At most three bytes of UTF-8 for each UTF-16 unit, and one for the line break.
    const bytes = text.length * 3 + 1;
    if (batchBytes + bytes > AGENT_FRAME_MAX) flush();
    batch.push(text);
    batchBytes += bytes;
    if (batch.length === 1) clock.soon(flush);
  };

  const { livenessToken, fileToken, apps = STRICT_RULES } = welcome;
  return {
    send(frame) {
      const text = encodeFrame(frame);
      if (welcome.batching) add(text);
      else socket.send(text);
    },
    buffered: () => socket.buffered() + batchBytes,
    notice: livenessToken === undefined ? undefined : { center, livenessToken },
    apps,
    files: fileToken === undefined ? undefined : { url: filesAt(center), token: fileToken },
  };
}

/** `wss://host/path/v1/agents` -> `https://host/path/v1/files/`. */
const filesAt = (center: string): string => center.replace(/^ws/, 'http').replace(/(?:\/v1\/agents)?\/*$/, '/v1/files/');
