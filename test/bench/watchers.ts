/**
 * Many watchers of the feed in one process, on bare TCP: what a watcher does with its frames shall
 * not be what is measured. Each frame is counted; every SAMPLEth is opened for the instant it
 * carries. Commanded by the process that started this one, see `feed.ts`.
 */
import type { Socket } from 'bun';

export type AgentRequest = { do: 'open'; count: number } | { do: 'reset' } | { do: 'report' };
export interface Counts {
  open: number;
  /** Closed by the center since the beginning. */
  cut: number;
  least: number;
  most: number;
  all: number;
  /** From the instant in the fact to its arrival, ms, of a sample. */
  tookMs: number[];
}
export type AgentReport = { opened: number } | { counts: Counts } | { reset: true } | { ready: true };

const SAMPLE = 97;
const SAMPLES_MAX = 20_000;

interface Watcher {
  frames: number;
  /** Bytes of a frame that has not come whole. */
  rest: Buffer;
  greeted: boolean;
}

const [host = '127.0.0.1', port = '0', query = ''] = process.argv.slice(2);
const watchers: Watcher[] = [];
let cut = 0;
let seen = 0;
let tookMs: number[] = [];

process.on('message', async (order: AgentRequest) => {
  switch (order.do) {
    case 'open':
      for (let from = 0; from < order.count; from += 50) await Promise.all(Array.from({ length: Math.min(50, order.count - from) }, open));
      return say({ opened: watchers.length });
    case 'reset':
      for (const watcher of watchers) watcher.frames = 0;
      tookMs = [];
      return say({ reset: true });
    case 'report': {
      const frames = watchers.map(watcher => watcher.frames);
      const all = frames.reduce((sum, each) => sum + each, 0);
      return say({ counts: { open: watchers.length - cut, cut, least: Math.min(...frames), most: Math.max(...frames), all, tookMs } });
    }
  }
});
process.on('disconnect', () => process.exit(0));
say({ ready: true });

function say(word: AgentReport): void {
  process.send?.(word);
}

/** Resolves once the handshake is answered. */
async function open(): Promise<void> {
  const watcher: Watcher = { frames: 0, rest: Buffer.alloc(0), greeted: false };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  await Bun.connect<undefined>({
    hostname: host,
    port: Number(port),
    socket: {
      open(socket) {
        const key = Buffer.from('a key of 16 char').toString('base64');
        const lines = [
          `GET /v1/feed${query} HTTP/1.1`,
          `Host: ${host}:${port}`,
          'Upgrade: websocket',
          'Connection: Upgrade',
          `Sec-WebSocket-Key: ${key}`,
          'Sec-WebSocket-Version: 13',
        ];
        socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      },
      data(socket, chunk) {
        take(socket, watcher, watcher.rest.length > 0 ? Buffer.concat([watcher.rest, chunk]) : chunk, resolve, reject);
      },
      close() {
        cut += 1;
      },
      error(_, problem) {
        reject(problem);
      },
    },
  });
  await promise;
  watchers.push(watcher);
}

function take(socket: Socket<undefined>, watcher: Watcher, bytes: Buffer, opened: () => void, failed: (problem: Error) => void): void {
  let place = 0;
  if (!watcher.greeted) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) {
      watcher.rest = bytes;
      return;
    }
    if (!bytes.subarray(0, 12).toString().endsWith('101')) return failed(new Error(`refused: ${bytes.subarray(0, 200)}`));
    watcher.greeted = true;
    opened();
    place = end + 4;
  }
  const now = Date.now();
  while (place + 2 <= bytes.length) {
    // From the center: never masked, never in parts.
    const kind = (bytes[place] ?? 0) & 0x0f;
    const short = (bytes[place + 1] ?? 0) & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (place + head > bytes.length) break;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(place + 2) : Number(bytes.readBigUInt64BE(place + 2));
    if (place + head + length > bytes.length) break;
    if (kind === 1) {
      watcher.frames += 1;
      seen += 1;
      if (seen % SAMPLE === 0 && tookMs.length < SAMPLES_MAX) {
        const fact = JSON.parse(bytes.toString('utf8', place + head, place + head + length)) as { at: string };
        tookMs.push(now - Date.parse(fact.at));
      }
    } else if (kind === 9) {
      // A pong: masked with zeros, which leaves its payload as it is.
      socket.write(Buffer.concat([Buffer.from([0x8a, 0x80 | length, 0, 0, 0, 0]), bytes.subarray(place + head, place + head + length)]));
    }
    place += head + length;
  }
  watcher.rest = place < bytes.length ? Buffer.from(bytes.subarray(place)) : Buffer.alloc(0);
}
