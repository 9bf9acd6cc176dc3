/** Socket and state of one session: what the state lets it send, and its one end. */
import type { DisconnectKind } from '../../actors/host/types.ts';
import type { Socket } from '../http/websocket/types.ts';
import { CENTER_FRAME_MAX, type FromCenter, fitsIn } from '../protocol/agent.ts';

type CenterFrame = ReturnType<typeof FromCenter.parse>;

export interface Sending {
  /** False: the frame is larger than an agent accepts, and is not sent. */
  send(frame: CenterFrame): boolean;
  /** Sends the reason, then closes. */
  refuse(code: string, message: string, closeCode: number): void;
  close(code: number, reason: string): void;
}

interface SessionSocket extends Sending {
  state(): 'greeting' | 'waiting' | 'up' | 'closed';
  advance(to: 'waiting' | 'up'): void;
  open(socket: Socket): void;
  /** The session is over. Only the first call has an effect. */
  end(reason: string, disconnectKind: DisconnectKind): void;
}

/** `onEnd` is called exactly once, after the state is `closed`. */
export function createSessionSocket(onEnd: (reason: string, disconnectKind: DisconnectKind) => void): SessionSocket {
  let socket: Socket | undefined;
  let state: ReturnType<SessionSocket['state']> = 'greeting';

  // The socket reports its close again after a close of our own.
  const end = (reason: string, disconnectKind: DisconnectKind) => {
    if (state === 'closed') return;
    state = 'closed';
    onEnd(reason, disconnectKind);
  };
  const close = (code: number, reason: string) => {
    if (state === 'closed') return;
    socket?.close(code, reason);
    end(reason, 'away');
  };

  return {
    state: () => state,
    advance(to) {
      state = to;
    },
    open(opened) {
      socket = opened;
    },
    send(frame) {
      if (state === 'closed') return true;
      const text = JSON.stringify(frame);
      if (!fitsIn(CENTER_FRAME_MAX, text)) return false;
      if (socket?.send(text) === 'dropped') close(1013, 'the agent does not read its frames');
      return true;
    },
    refuse(code, message, closeCode) {
      if (state === 'closed') return;
      socket?.send(JSON.stringify({ type: 'refused', code, message: message.slice(0, 1_000) } satisfies CenterFrame));
      close(closeCode, message);
    },
    close,
    end,
  };
}
