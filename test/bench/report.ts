/** What every bench hands back, and the little arithmetic they share. */
export interface BenchResult {
  name: string;
  figures: Record<string, number | string>;
  goal: string;
  met: boolean;
}

/** 0 <= part <= 1. */
export function quantile(values: number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return Math.round(value * 1000) / 1000;
}

export const median = (values: number[]): number => quantile(values, 0.5);
