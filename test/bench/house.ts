/** A real center and one agent for the benches that go through the front door, and what a bench asks of processes. */
import { readFileSync } from 'node:fs';
import { aRealHouse, type House } from '../support/house.ts';

/** `cpus` and `memoryMB` are what the agent offers: enough that only processes limit the rate. `startedMs` is the center's cold start to its first answer. */
export async function aBenchHouse({ cpus = 64, memoryMB = 1_000_000 } = {}): Promise<House & { startedMs: number }> {
  const house = await aRealHouse({ cpus, memoryMB, env: { TROUPE_LOG: 'warn' } });
  const began = performance.now();
  await house.startCenter();
  const startedMs = performance.now() - began;
  house.startAgent('bench');
  await house.ready('bench');
  return Object.assign(house, { startedMs });
}

/** Resident memory of a process in MB; 0 when it is gone. */
export function memoryOf(pid: number | undefined): number {
  if (!pid) return 0;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 102.4) / 10;
}
