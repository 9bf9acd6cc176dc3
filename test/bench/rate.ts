/** Computations per second, over instants of two years and ten zones. */

export const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'America/Sao_Paulo',
  'Asia/Tokyo',
  'Pacific/Apia',
  'Africa/Casablanca',
  'America/St_Johns',
];
const FROM = Date.UTC(2026, 0, 1);
const SPAN = 2 * 365 * 86_400_000;
const ROUNDS = 3;
const ROUND_MS = 500;

/** Instants in no order, each index its own. */
export function someInstant(index: number): number {
  return FROM + ((index * 7_919_000_003) % SPAN);
}

/** Operations per second: a warm-up, three rounds, the one in the middle. */
export function medianRate(operation: (index: number) => unknown): number {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const rate = perSecond(operation);
    if (round > 0) rounds.push(rate);
  }
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number;
}

function perSecond(operation: (index: number) => unknown): number {
  const begin = performance.now();
  let done = 0;
  let spent = 0;
  // Kept and looked at, so that no engine may leave the work out.
  let kept: unknown;
  while (spent < ROUND_MS) {
    for (let burst = 0; burst < 100; burst += 1) {
      kept = operation(done);
      done += 1;
    }
    spent = performance.now() - begin;
  }
  if (kept === null) throw new Error('the last operation had no result');
  return (done / spent) * 1000;
}
