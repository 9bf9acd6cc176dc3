/**
 * A spool in memory for tests and the simulation: hand the same one to a second core and it is the
 * disk that outlived the first.
 */
import type { RunRecord, Spool } from './ports.ts';

/**
 * `capacityBytes`: room for output, all runs together; default no limit. Records always fit unless
 * `recordsFit` says no.
 */
export function createMemorySpool(options: { capacityBytes?: () => number; recordsFit?: () => boolean } = {}): Spool {
  const records = new Map<string, RunRecord>();
  const runs = new Map<string, Map<number, Uint8Array>>();
  const used = () => [...runs.values()].reduce((sum, run) => sum + [...run.values()].reduce((all, segment) => all + segment.length, 0), 0);
  return {
    records: () => [...records.values()],
    record(record) {
      if (options.recordsFit?.() === false) return false;
      // As the spool on disk does it, and four times as fast as structuredClone.
      records.set(record.kept.run, JSON.parse(JSON.stringify(record)) as RunRecord);
      return true;
    },
    forget(record) {
      records.delete(record.kept.run);
      runs.delete(record.tree.mark);
    },
    segments(mark) {
      const segments = runs.get(mark) ?? new Map<number, Uint8Array>();
      runs.set(mark, segments);
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
        rest: () => {},
      };
    },
  };
}
