/**
 * A spool in memory for tests and the simulation. Pass the same one to a second core to test the
 * restart of a keeper.
 */
import type { Spool, SpoolRecord } from './ports.ts';

/**
 * `capacityBytes`: space for output, all runs together; default no limit. `recordsFit`: whether the
 * disk takes records now; default yes.
 */
export function createMemorySpool(options: { capacityBytes?: () => number; recordsFit?: () => boolean } = {}): Spool {
  const records = new Map<string, SpoolRecord>();
  const runs = new Map<string, Map<number, Uint8Array>>();
  const used = () => [...runs.values()].reduce((sum, run) => sum + [...run.values()].reduce((all, segment) => all + segment.length, 0), 0);
  return {
    records: () => [...records.values()],
    write(record) {
      if (options.recordsFit?.() === false) return false;
      // A copy, as on disk. JSON is four times as fast as structuredClone.
      records.set(record.status.run, JSON.parse(JSON.stringify(record)) as SpoolRecord);
      return true;
    },
    remove(record) {
      records.delete(record.status.run);
      runs.delete(record.tree.tag);
    },
    segments(tag) {
      const segments = runs.get(tag) ?? new Map<number, Uint8Array>();
      runs.set(tag, segments);
      return {
        append(number, header, data) {
          if (options.capacityBytes !== undefined && used() + header.length + data.length > options.capacityBytes()) return false;
          const before = segments.get(number) ?? new Uint8Array(0);
          const whole = new Uint8Array(before.length + header.length + data.length);
          whole.set(before);
          whole.set(header, before.length);
          whole.set(data, before.length + header.length);
          segments.set(number, whole);
          return true;
        },
        read: (number, position, length) => (segments.get(number) ?? new Uint8Array(0)).slice(position, position + length),
        drop: number => void segments.delete(number),
        list: () => [...segments.keys()].sort((a, b) => a - b),
        closeFiles: () => {},
      };
    },
  };
}
