/**
 * What the keeper says to the center when the line to its agent breaks: the host is here, and so
 * are its runs. Without it a center that sees the agent's socket close cannot tell an agent that
 * was killed from a host that was.
 */

import type { Dialer, Link } from '../agent/ports.ts';
import type { Clock } from '../lib/clock.ts';
import type { LastWord } from '../protocol/keeper.ts';

/** Between tries, ms, and how many there are: afterwards the host has come back or is given up. */
const AGAIN_MS = 500;
const TRIES_MAX = 20;

export interface LastWords {
  /** `line` is whoever entrusts it; the word of the newest counts. */
  entrust(line: object, word: LastWord): void;
  /** The line broke: its word is said, unless a newer line has one. */
  broke(line: object): void;
}

export function createLastWords({ clock, dialer }: { clock: Clock; dialer: Dialer }): LastWords {
  let present: { line: object; word: LastWord } | undefined;

  function say(mine: { word: LastWord }, tries: number): void {
    // Another agent has come meanwhile and speaks for itself.
    if (present !== mine || tries > TRIES_MAX) return;
    let socket: Link | undefined;
    dialer.dial(mine.word.center, {
      open(link) {
        socket = link;
      },
      frame(text) {
        // The challenge is nothing to us: the word proves enough.
        if (text.startsWith('{"type":"challenge"')) socket?.send(JSON.stringify({ type: 'attended', word: mine.word.word }));
      },
      closed(code) {
        // 1000: heard; 1008: a center that does not know the word, and asks no host back before its
        // own grace.
        if (code === 1000 || code === 1008) return;
        clock.after(AGAIN_MS, () => say(mine, tries + 1));
      },
    });
  }

  return {
    entrust(line, word) {
      present = { line, word };
    },
    broke(line) {
      if (present?.line === line) say(present, 1);
    },
  };
}
