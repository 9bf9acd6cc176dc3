/** Every bench by name, in order: those that most need a quiet machine come first. */
import type { BenchResult, Size } from './report.ts';

export const BENCHES: Record<string, () => Promise<{ bench(size: Size): Promise<BenchResult | BenchResult[]> }>> = {
  latency: () => import('./latency.ts'),
  runs: () => import('./runs.ts'),
  apps: () => import('./apps.ts'),
  noop: () => import('./noop.ts'),
  alloc: () => import('./alloc.ts'),
  notify: () => import('./notify.ts'),
  turns: () => import('./turns.ts'),
  herd: () => import('./herd.ts'),
  armed: () => import('./armed.ts'),
  cron: () => import('./cron.ts'),
  feed: () => import('./feed.ts'),
  agents: () => import('./agents.ts'),
  lists: () => import('./lists.ts'),
  files: () => import('./files.ts'),
  'job-lists': () => import('./job-lists.ts'),
  footprint: () => import('./footprint.ts'),
  audit: () => import('./audit.ts'),
  soak: () => import('./soak.ts'),
};

/** Run only when they are named: they take minutes, or an hour and more. */
export const ONLY_WHEN_NAMED: ReadonlySet<string> = new Set(['audit', 'soak']);
