/**
 * The line to the center: dial, answer the challenge, keep it warm, dial again.
 *
 *   dialling --open, challenge--> proving --proof--> greeting --welcome--> up
 *                                    |                  |                  |
 *                                    | refused          | refused          | closed, or silent for
 *                                    v                  v                  v three heartbeats
 *                                 waiting --back-off--> dialling
 *
 * Of several centers each is dialled once, the one that served last at first, before the agent
 * waits: a standby and a center that is away are skipped.
 *
 * A half-open socket never says that it is closed, so only frames count as life; what an abandoned
 * socket says later is ignored.
 */
import { z } from 'zod';
import { backoffDelay } from '../../lib/backoff.ts';
import { type Clock, pause } from '../../lib/clock.ts';
import type { Dialer, Connection as Socket } from '../../lib/dialer.ts';
import { type AppRules, STRICT_RULES } from '../../lib/host-policy.ts';
import type { Ids } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import { AGENT_FRAME_MAX, centerText, type FromAgent, FromCenter, GOODBYE, type Hello, PROTOCOL, Rejected } from '../../protocol/agent.ts';
import type { AliveNotice } from '../../protocol/keeper.ts';
import type { AgentSpans } from '../limits.ts';

/** Heartbeats without any frame after which a socket counts as dead. */
const SILENT_HEARTBEATS = 3;

/** Refusals that trying again soon does not change: somebody has to act. */
const FINAL = new Set(['unknownKey', 'joinTokenInvalid', 'identityInUse', 'retired', 'rejectedByPool', 'protocol']);

export type CenterFrame = Exclude<FromCenterFrame, { type: 'challenge' | 'proof' | 'welcome' | 'refused' | 'ping' | 'pong' }>;
type FromCenterFrame = ReturnType<typeof FromCenter.parse>;
type FromAgentFrame = ReturnType<typeof FromAgent.parse>;

export type Challenge = Extract<FromCenterFrame, { type: 'challenge' }>;

export interface Link {
  /**
   * Dials until the signal aborts, then closes the socket; or until every center in turn refused in
   * a way that `on.refused` calls the last.
   */
  run(signal: AbortSignal): Promise<'stopped' | 'refused'>;
  /**
   * False when the link is not up: the frame is dropped, and what must arrive is sent again after
   * the next welcome.
   */
  send(frame: FromAgentFrame): boolean;
  isUp(): boolean;
  /** Bytes waiting in the socket, 0 when there is none. */
  buffered(): number;
  /**
   * What the keeper is to say, and where, should this agent die while the link is up; undefined
   * while it is not.
   */
  notice(): AliveNotice | undefined;
  /**
   * Monotonic ms at which a center that had welcomed this agent was last heard; the start of the
   * agent before the first time.
   */
  heardAt(): number;
}

export interface LinkParts {
  clock: Clock;
  ids: Ids;
  dialer: Dialer;
  log: Log;
  spans: AgentSpans;
  centers: string[];
  hello(challenge: Challenge): Hello;
  /** Why this agent rejects a center with that proof; undefined: it accepts it. */
  refusal(proof: { key: string; text: string; signature: string }): string | undefined;
  on: {
    /** The link is up. */
    /** With what this center says about apps. */
    welcome(apps: AppRules): void;
    frame(frame: CenterFrame): void;
    /** The link was up and is not any more. */
    down(): void;
    /** A final refusal, at each dial. True: trying again is of no use. */
    refused(code: string): boolean;
  };
}

/** How one socket ended. */
type Parting = { was: 'up' | 'never'; final: boolean; forGood: boolean };

export function createLink(parts: LinkParts): Link {
  const { clock, ids, dialer, log, spans, centers } = parts;
  let up: Socket | undefined;
  let gathers = false;
  let notice: AliveNotice | undefined;
  /**
   * Frames of one moment, for a center that takes them in one message: a busy host says thousands a
   * second.
   */
  let gathered: string[] = [];
  let gatheredBytes = 0;
  let heardAt = clock.monotonic();

  const flush = (socket: Socket) => {
    // Another socket has come: what was for this one is said again to that.
    if (up !== socket || gathered.length === 0) return;
    const text = gathered.join('\n');
    gathered = [];
    gatheredBytes = 0;
    socket.send(text);
  };

  const gather = (socket: Socket, text: string) => {
    // At most three bytes of UTF-8 for each unit of a string, and one for the line break.
    const bytes = text.length * 3 + 1;
    if (gatheredBytes + bytes > AGENT_FRAME_MAX) flush(socket);
    gathered.push(text);
    gatheredBytes += bytes;
    if (gathered.length === 1) clock.soon(() => flush(socket));
  };

  /** One socket from dial to end. */
  const attempt = (url: string, signal: AbortSignal): Promise<Parting> =>
    new Promise(resolve => {
      let socket: Socket | undefined;
      let over = false;
      let final = false;
      let forGood = false;
      let nonce = 0;
      let challenge: Challenge | undefined;
      /** What the center must sign before the agent sends it anything or takes anything from it. */
      let unproven: string | undefined;
      let isProven = false;
      let heard = clock.monotonic();

      const end = (code: number, reason: string, sentence?: string) => {
        if (over) return;
        over = true;
        disarmWelcome();
        disarmBeat();
        signal.removeEventListener('abort', stop);
        const was = up !== undefined && up === socket ? 'up' : 'never';
        up = was === 'up' ? undefined : up;
        if (sentence) log.warn(sentence, { center: url });
        socket?.close(code, reason);
        if (was === 'up') parts.on.down();
        resolve({ was, final, forGood });
      };
      const stop = () => end(1000, GOODBYE);
      const write = (frame: FromAgentFrame) => socket?.send(encode(frame));

      let disarmBeat = () => {};
      const beatEvery = (heartbeatMs: number) => {
        disarmBeat = clock.after(heartbeatMs, () => {
          const silentMs = clock.monotonic() - heard;
          if (silentMs >= SILENT_HEARTBEATS * heartbeatMs) {
            return end(4000, 'silent', `the center was silent for ${Math.round(silentMs)} ms, dialling again`);
          }
          write({ type: 'ping', nonce: String(++nonce) });
          beatEvery(heartbeatMs);
        });
      };

      const take = (frame: FromCenterFrame) => {
        switch (frame.type) {
          case 'challenge':
            if (frame.protocol < PROTOCOL)
              log.warn('the center speaks an older protocol', { center: url, protocol: frame.protocol, ours: PROTOCOL });
            if (challenge) return;
            challenge = frame;
            unproven = ids.secret(32);
            return write({ type: 'prove', nonce: unproven });
          case 'proof': {
            if (!challenge || unproven === undefined) return;
            const text = centerText(unproven, challenge.nonce);
            unproven = undefined;
            const refusal = parts.refusal({ key: frame.key, text, signature: frame.signature });
            if (refusal !== undefined) return end(4002, 'not trusted', `the center at ${url} is not obeyed: ${refusal}`);
            isProven = true;
            return write(parts.hello(challenge));
          }
          case 'welcome':
            if (!isProven) return end(4002, 'not trusted', `the center at ${url} is not obeyed: it welcomes without a proof of its key`);
            disarmWelcome();
            up = socket;
            gathers = frame.batching === true;
            notice = frame.livenessToken === undefined ? undefined : { center: url, livenessToken: frame.livenessToken };
            gathered = [];
            gatheredBytes = 0;
            heardAt = heard;
            log.info('the center welcomed this agent', { center: url, host: frame.host });
            beatEvery(frame.heartbeatMs);
            return parts.on.welcome(frame.apps ?? STRICT_RULES);
          case 'refused':
            // A refusal without a proof is not final: any server could send it.
            final = isProven && FINAL.has(frame.code);
            forGood = final && parts.on.refused(frame.code);
            return end(
              1000,
              'refused',
              `the center refused this agent: ${frame.message} (${frame.code})${final ? '; it needs somebody to act' : ''}`,
            );
          case 'ping':
            return write({ type: 'pong', nonce: frame.nonce });
          case 'pong':
            return;
          default:
            if (up === socket) parts.on.frame(frame);
        }
      };

      const disarmWelcome = clock.after(spans.welcomeMs, () => end(4001, 'no welcome', `no welcome within ${spans.welcomeMs} ms`));
      signal.addEventListener('abort', stop, { once: true });
      dialer.dial(url, {
        open(link) {
          // It opened after we had given it up: nobody else would close it.
          if (over) return link.close(4001, 'too late');
          socket = link;
        },
        frame(text) {
          if (over) return;
          heard = clock.monotonic();
          if (up !== undefined && up === socket) heardAt = heard;
          const decoded = decode(text);
          if ('frame' in decoded) return take(decoded.frame);
          const { problem, rejected } = decoded;
          log.warn(`a frame of the center cannot be read: ${problem}`, { center: url, frame: text.slice(0, 200) });
          // Who sent a command waits for what becomes of it: unanswered, its shard would wait for
          // ever.
          if (rejected && up === socket) write(rejected);
        },
        closed: (code, reason) => end(1000, '', `the link to the center closed (${code}${reason ? `, ${reason}` : ''})`),
      });
    });

  return {
    async run(signal) {
      let failures = 0;
      let refusals = 0;
      let order = [...centers];
      while (!signal.aborted) {
        const [url] = order;
        if (url === undefined) throw new Error('an agent needs the address of a center');
        const parting = await attempt(url, signal);
        const isUp = parting.was === 'up';
        refusals = parting.forGood ? refusals + 1 : 0;
        if (refusals === centers.length) return 'refused';
        // One that served stays the first; behind it the others in turn.
        if (!isUp) order = [...order.slice(1), url];
        failures = isUp ? 0 : failures + 1;
        if (!isUp && !parting.final && failures % centers.length !== 0) continue;
        await pause(clock, backOff(parting, Math.ceil(failures / centers.length), ids.fraction(), spans), signal);
      }
      return 'stopped';
    },
    send(frame) {
      if (!up) return false;
      const text = encode(frame);
      if (gathers) gather(up, text);
      else up.send(text);
      return true;
    },
    isUp: () => up !== undefined,
    buffered: () => (up?.buffered() ?? 0) + gatheredBytes,
    notice: () => (up ? notice : undefined),
    heardAt: () => heardAt,
  };
}

/**
 * Full jitter: anywhere between nothing and a span that doubles, so that a fleet does not come back
 * in step. After a final refusal half a cap at least.
 */
export function backOff(parting: Pick<Parting, 'final'>, failures: number, fraction: number, spans: AgentSpans): number {
  if (parting.final) return (spans.redialCapMs * (1 + fraction)) / 2;
  return backoffDelay({ baseMs: spans.redialBaseMs, capMs: spans.redialCapMs }, failures + 1, fraction);
}

/** A command that cannot be read but for its key and its run. */
const CommandName = Rejected.pick({ key: true, run: true }).extend({ type: z.enum(['start', 'stop']) });

/** The frame, or what is wrong with it; and the answer, where it is a command that can be named. */
function decode(text: string): { frame: FromCenterFrame } | { problem: string; rejected?: Rejected } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'it is not JSON' };
  }
  const frame = FromCenter.safeParse(value);
  if (frame.success) return { frame: frame.data };
  const [issue] = frame.error.issues;
  const problem = `${issue?.path.join('.') || 'the frame'}: ${issue?.message ?? 'unknown'}`.slice(0, 500);
  const { data: name } = CommandName.safeParse(value);
  return name
    ? { problem, rejected: { type: 'rejected', key: name.key, run: name.run, reason: 'unreadable', message: problem } }
    : { problem };
}

/**
 * Control characters grow six-fold in JSON; a piece of output made of them is sent with signs in
 * their place rather than be refused for its size.
 */
function encode(frame: FromAgentFrame): string {
  const text = JSON.stringify(frame);
  // At most three bytes of UTF-8 for each unit of a string.
  if (frame.type !== 'output' || text.length * 3 <= AGENT_FRAME_MAX || sizeOf(text) <= AGENT_FRAME_MAX) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return JSON.stringify({ ...frame, text: frame.text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '\uFFFD') });
}

const sizeOf = (text: string) => new TextEncoder().encode(text).length;
