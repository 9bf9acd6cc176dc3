/**
 * How many deliveries a recipient gets per minute, over all jobs. Beyond it a delivery gets a place
 * in a later minute, so that those who wait come back in turn and not all at once. Kept in memory:
 * a restart begins anew.
 */
import { createBoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';

const MINUTE_MS = 60_000;
/** Recipients whose minutes are kept; the longest unused leaves first. */
const RECIPIENTS_MAX = 10_000;

/** Deliveries of one minute: those sent, and those that have their place in it. */
interface Minute {
  used: number;
  reserved: number;
}

export interface RecipientLimit {
  /**
   * Takes a place for this recipient in the present minute, or null: there is one in the minute
   * that begins at the returned instant, epoch ms. `slot`: the minute that it got before.
   */
  take(to: string, slot: number | null): number | null;
  /** Nothing was sent: the place of the present minute is free again. */
  giveBack(to: string): void;
}

export function createRecipientLimit({ clock, perMinute }: { clock: Pick<Clock, 'now'>; perMinute: number }): RecipientLimit {
  const recipients = createBoundedMap<string, Map<number, Minute>>({ max: RECIPIENTS_MAX });
  const present = () => Math.floor(clock.now() / MINUTE_MS) * MINUTE_MS;

  function minutesOf(to: string): Map<number, Minute> {
    const minutes = recipients.get(to) ?? new Map<number, Minute>();
    recipients.set(to, minutes);
    const now = present();
    for (const minute of minutes.keys()) if (minute < now) minutes.delete(minute);
    return minutes;
  }
  function minuteAt(minutes: Map<number, Minute>, at: number): Minute {
    const minute = minutes.get(at) ?? { used: 0, reserved: 0 };
    minutes.set(at, minute);
    return minute;
  }

  return {
    take(to, slot) {
      const minutes = minutesOf(to);
      const now = present();
      const minute = minuteAt(minutes, now);
      const isReserved = slot === now && minute.reserved > 0;
      if (isReserved) minute.reserved -= 1;
      if (isReserved || minute.used + minute.reserved < perMinute) {
        minute.used += 1;
        return null;
      }
      let at = now + MINUTE_MS;
      while ((minutes.get(at)?.reserved ?? 0) >= perMinute) at += MINUTE_MS;
      minuteAt(minutes, at).reserved += 1;
      return at;
    },
    giveBack(to) {
      const minute = recipients.get(to)?.get(present());
      if (minute && minute.used > 0) minute.used -= 1;
    },
  };
}
