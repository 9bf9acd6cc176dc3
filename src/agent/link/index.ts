/**
 * The link to the center: one session at a time, dialled again with back-off. Of several centers
 * each is dialled once, the last serving one first, before the agent waits: a standby and an
 * unreachable center are skipped.
 */
import { backoffDelay } from '../../lib/backoff.ts';
import { pause } from '../../lib/clock.ts';
import { type AppRules, STRICT_RULES } from '../../lib/host-policy.ts';
import type { AliveNotice } from '../../protocol/keeper.ts';
import type { AgentSpans } from '../limits.ts';
import type { CenterFiles } from '../ports.ts';
import type { CenterSession } from './center-session.ts';
import type { OutgoingFrame } from './frames.ts';
import { runSession, type SessionListener, type SessionParts } from './session.ts';

/** Events of the link. `up` comes after `Link.send` works, `down` after it does not. */
export type LinkListener = Omit<SessionListener, 'up' | 'alive'> & { up(): void };

export interface Link {
  /**
   * Dials until the signal aborts, then closes the session; or until every center in turn
   * permanently refused this agent.
   */
  run(signal: AbortSignal, on: LinkListener): Promise<'stopped' | 'refused'>;
  /** False when the link is down: the frame is dropped, and sent again after the next welcome. */
  send(frame: OutgoingFrame): boolean;
  isUp(): boolean;
  /** Bytes not yet handed to the network, 0 when the link is down. */
  buffered(): number;
  /** The notice to register at the keeper. Undefined while the link is down. */
  notice(): AliveNotice | undefined;
  /** Where apps may come from, by the last welcome. */
  appRules(): AppRules;
  /** Where files of the center are; undefined while the link is down. */
  centerFiles(): CenterFiles | undefined;
  /**
   * Monotonic ms of the last frame of a welcomed session; before the first, of the agent's start.
   */
  lastFrameAt(): number;
}

export interface LinkParts extends SessionParts {
  centers: string[];
}

export function createLink(parts: LinkParts): Link {
  const { clock, ids, spans, centers } = parts;
  let session: CenterSession | undefined;
  let appRules = STRICT_RULES;
  let lastFrameAt = clock.monotonic();

  const alive = () => {
    lastFrameAt = clock.monotonic();
  };
  const listenFor = (on: LinkListener): SessionListener => ({
    ...on,
    alive,
    up(welcomed) {
      session = welcomed;
      appRules = welcomed.apps;
      alive();
      on.up();
    },
    down() {
      session = undefined;
      on.down();
    },
  });

  return {
    async run(signal, on) {
      const listener = listenFor(on);
      let failures = 0;
      let refusals = 0;
      let order = [...centers];
      while (!signal.aborted) {
        const [url] = order;
        if (url === undefined) throw new Error('an agent needs the address of a center');
        const { wasUp, final, forGood } = await runSession(parts, url, listener, signal);
        refusals = forGood ? refusals + 1 : 0;
        if (refusals === centers.length) return 'refused';
        // A center that served stays the first; behind it the others in turn.
        if (!wasUp) order = [...order.slice(1), url];
        failures = wasUp ? 0 : failures + 1;
        if (!wasUp && !final && failures % centers.length !== 0) continue;
        const isSeveral = centers.length > 1;
        await pause(clock, backOff({ final, isSeveral }, Math.ceil(failures / centers.length), ids.fraction(), spans), signal);
      }
      return 'stopped';
    },
    send(frame) {
      session?.send(frame);
      return session !== undefined;
    },
    isUp: () => session !== undefined,
    buffered: () => session?.buffered() ?? 0,
    notice: () => session?.notice,
    appRules: () => appRules,
    centerFiles: () => session?.files,
    lastFrameAt: () => lastFrameAt,
  };
}

/**
 * Full jitter: between 0 and a span that doubles, ms, so that a fleet does not dial in step. At
 * least half the cap after a final refusal.
 */
export function backOff(end: { final: boolean; isSeveral: boolean }, failures: number, fraction: number, spans: AgentSpans): number {
  if (end.final) return (spans.redialCapMs * (1 + fraction)) / 2;
  const capMs = end.isSeveral ? Math.min(spans.redialSeveralCapMs, spans.redialCapMs) : spans.redialCapMs;
  return backoffDelay({ baseMs: spans.redialBaseMs, capMs }, failures + 1, fraction);
}
