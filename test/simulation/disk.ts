/**
 * The disk of one host. What was appended without `sync` is with the kernel: a program that dies
 * does not lose it, a machine that loses its power may. A call under way when its program dies is
 * done, not done, or, for an append, done in part.
 */
import type { Disk } from '../../src/agent/ports.ts';
import type { CrashPoint } from './faults.ts';
import type { Random } from './random.ts';
import type { SimulatedSystem } from './system.ts';
import { never, type Program } from './time.ts';

/** The content of a file, and how much of it survives a power cut. */
interface File {
  text: string;
  durable: number;
}

export interface SimulatedDisk {
  portFor(program: Program, point: CrashPoint): Disk;
  /** The power is gone: of what no `sync` asked for, a part may have reached the disk. */
  cutPower(): void;
}

export function createSimulatedDisk(system: SimulatedSystem, random: Random): SimulatedDisk {
  const files = new Map<string, File>();

  function portFor(program: Program, point: CrashPoint): Disk {
    const call = <T>(name: string, apply: () => T, torn: () => void = () => {}): Promise<T> => {
      const index = program.isAlive ? point.before(name) : 0;
      if (index === 0) return never();
      let pending = true;
      // A dying program leaves the call to the kernel, which may finish it, or some of it.
      program.onEnd(() => {
        if (!pending) return;
        const fate = random.whole(0, 2);
        if (fate === 1) apply();
        if (fate === 2) torn();
        pending = false;
      });
      return new Promise(resolve => {
        system.time.after(random.between(0.05, name === 'disk.read' ? 0.2 : 1.5), () => {
          if (!pending) return;
          pending = false;
          const value = apply();
          if (program.isAlive && point.after(index)) resolve(value);
        });
      });
    };
    return {
      read: path => call('disk.read', () => files.get(path)?.text),
      append: (path, text, { sync }) =>
        call(
          'disk.append',
          () => {
            const file = files.get(path) ?? { text: '', durable: 0 };
            files.set(path, file);
            file.text += text;
            if (sync) file.durable = file.text.length;
          },
          () => {
            const file = files.get(path) ?? { text: '', durable: 0 };
            files.set(path, file);
            file.text += text.slice(0, random.whole(0, text.length));
          },
        ),
      replace: (path, text) => call('disk.replace', () => void files.set(path, { text, durable: text.length })),
      remove: path => call('disk.remove', () => void files.delete(path)),
    };
  }

  return {
    portFor,
    cutPower() {
      for (const file of files.values()) file.text = file.text.slice(0, random.whole(file.durable, file.text.length));
    },
  };
}
