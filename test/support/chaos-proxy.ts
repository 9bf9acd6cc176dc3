/**
 * A network that misbehaves on order: a TCP proxy on loopback that holds bytes back, delays them,
 * lets them vanish, or cuts the line.
 *
 *   client --up--> proxy --up--> target
 *          <-down--       <-down--
 *
 * What is ordered holds for the lines that are open and for those to come, until it is ordered
 * otherwise.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

type Direction = 'up' | 'down';

/** What becomes of bytes. */
type Treatment =
  | { do: 'pass' }
  /** Stops reading: bytes queue at the sender and pass once reading resumes. */
  | { do: 'hold' }
  /** Everything comes, in order, this much later. */
  | { do: 'delay'; ms: number }
  /** Bytes vanish without an error: half of an open line. */
  | { do: 'swallow' }
  /**
   * So many bytes of a line pass from now on; then the line is reset, closed, or goes silent in
   * this direction.
   */
  | { do: 'cut'; afterBytes: number; how: 'reset' | 'close' | 'swallow' }
  /** Asked for each piece as it came from the socket. */
  | { do: 'judge'; judge: (bytes: Buffer, line: Line) => 'pass' | 'swallow' | 'reset' };

/** One connection through the proxy. */
interface Line {
  /** Counts up from 1 with each connection. */
  readonly nth: number;
  /** RST to both ends. */
  reset(): void;
}

export interface ChaosProxy {
  readonly port: number;
  /** How many lines are open. */
  readonly lines: number;
  /** How many were ever opened. */
  readonly opened: number;
  /** Bytes that vanished so far, both directions together. */
  readonly swallowed: number;
  treat(direction: Direction | 'both', treatment: Treatment): void;
  /**
   * `refuse` answers new connections with RST, `hang` accepts them and sends nothing. Open lines
   * stay.
   */
  welcome(how: 'serve' | 'refuse' | 'hang'): void;
  /** RST on every open line. */
  reset(): void;
  /**
   * Everything passes, and new connections are served. Dropped bytes stay lost, and hanging
   * connections are reset so that they are dialed again.
   */
  heal(): void;
  close(): Promise<void>;
}

/**
 * `port` 0: any free one. `target` is asked with each new line, so that a server may come back
 * elsewhere.
 */
export async function aChaosProxy({
  target,
  port = 0,
}: {
  target: { host?: string; port: number } | (() => { host?: string; port: number });
  port?: number;
}): Promise<ChaosProxy> {
  const treatments: Record<Direction, Treatment> = { up: { do: 'pass' }, down: { do: 'pass' } };
  const lines = new Set<OpenLine>();
  const hanging = new Set<Socket>();
  let welcome: 'serve' | 'refuse' | 'hang' = 'serve';
  let opened = 0;
  let swallowed = 0;
  const vanish = (bytes: number) => {
    swallowed += bytes;
  };

  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    client.on('error', () => {});
    if (welcome === 'refuse') return void client.resetAndDestroy();
    if (welcome === 'hang') {
      hanging.add(client);
      client.on('close', () => hanging.delete(client));
      return;
    }
    opened += 1;
    const { host = '127.0.0.1', port } = typeof target === 'function' ? target() : target;
    const line = aLine(opened, client, connect({ host, port, allowHalfOpen: true, noDelay: true }), () => lines.delete(line), vanish);
    lines.add(line);
    line.treat('up', treatments.up);
    line.treat('down', treatments.down);
  });
  await new Promise<void>((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
  const bound = server.address();
  if (!bound || typeof bound !== 'object') throw new Error('the proxy has no port');

  const proxy: ChaosProxy = {
    port: bound.port,
    get lines() {
      return lines.size;
    },
    get opened() {
      return opened;
    },
    get swallowed() {
      return swallowed;
    },
    treat(direction, treatment) {
      for (const each of direction === 'both' ? (['up', 'down'] as const) : [direction]) {
        treatments[each] = treatment;
        for (const line of lines) line.treat(each, treatment);
      }
    },
    welcome(how) {
      welcome = how;
    },
    reset() {
      for (const line of [...lines]) line.reset();
    },
    heal() {
      proxy.treat('both', { do: 'pass' });
      welcome = 'serve';
      for (const client of [...hanging]) client.resetAndDestroy();
    },
    async close() {
      const closed = new Promise(done => server.close(done));
      proxy.reset();
      for (const client of [...hanging]) client.resetAndDestroy();
      await closed;
    },
  };
  return proxy;
}

interface OpenLine extends Line {
  treat(direction: Direction, treatment: Treatment): void;
}

function aLine(nth: number, client: Socket, target: Socket, over: () => void, vanish: (bytes: number) => void): OpenLine {
  const reset = () => {
    for (const socket of [client, target]) if (!socket.destroyed) socket.resetAndDestroy();
    over();
  };
  const line: Line = { nth, reset };
  const up = aStream(client, target, line, vanish);
  const down = aStream(target, client, line, vanish);
  for (const socket of [client, target]) {
    socket.on('error', reset);
    socket.on('close', () => void (client.destroyed && target.destroyed && over()));
  }
  return { ...line, treat: (direction, treatment) => (direction === 'up' ? up : down).treat(treatment) };
}

/** Bytes of one direction, in order, whatever each of them has to wait for. */
function aStream(from: Socket, to: Socket, line: Line, vanish: (bytes: number) => void) {
  let treatment: Treatment = { do: 'pass' };
  let left = 0;
  const timers = new Set<Timer>();
  /** Pieces on their way; the last one may be the end. */
  const late: (Buffer | null)[] = [];

  const deliver = (piece: Buffer | null) => {
    if (to.destroyed || to.writableEnded) return;
    if (piece === null) to.end();
    else if (!to.write(piece)) {
      from.pause();
      to.once('drain', () => void (treatment.do === 'hold' || from.resume()));
    }
  };
  /** Bytes behind a delayed piece wait too, also when they have no delay of their own. */
  const pass = (piece: Buffer | null, ms = 0) => {
    if (ms === 0 && late.length === 0) return deliver(piece);
    late.push(piece);
    const timer = setTimeout(() => {
      timers.delete(timer);
      deliver(late.shift() as Buffer | null);
    }, ms);
    timers.add(timer);
  };

  from.on('data', (piece: Buffer) => {
    switch (treatment.do) {
      case 'pass':
      case 'hold': // what was in the reader's hands already
        return pass(piece);
      case 'delay':
        return pass(piece, treatment.ms);
      case 'swallow':
        return vanish(piece.length);
      case 'cut': {
        const head = piece.subarray(0, left);
        left -= head.length;
        if (head.length > 0) pass(head);
        if (head.length === piece.length) return;
        if (treatment.how === 'swallow') return vanish(piece.length - head.length);
        if (treatment.how === 'reset') return line.reset();
        to.end();
        from.destroy();
        return;
      }
      case 'judge': {
        const verdict = treatment.judge(piece, line);
        if (verdict === 'reset') line.reset();
        else if (verdict === 'pass') pass(piece);
        else vanish(piece.length);
      }
    }
  });
  const end = () => {
    const isSilent = treatment.do === 'swallow' || (treatment.do === 'cut' && treatment.how === 'swallow' && left === 0);
    if (!isSilent) pass(null, treatment.do === 'delay' ? treatment.ms : 0);
  };
  from.on('end', end);
  // Late bytes are still sent, unless their receiver is gone.
  from.on('close', end);
  to.on('close', () => {
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  });

  return {
    treat(next: Treatment) {
      treatment = next;
      if (next.do === 'cut') left = next.afterBytes;
      if (next.do === 'hold') from.pause();
      else from.resume();
    },
  };
}
