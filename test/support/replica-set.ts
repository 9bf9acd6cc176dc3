/**
 * A replica set as a driver sees one: two members in front of one server, one of them primary. They
 * answer on the wire what a single server cannot: who is primary, a change of it during a write, a
 * majority that is not reached, an applied write without an answer, and sessions, in which a
 * repeated write is answered and not applied again.
 *
 *   driver --> member (primary)   --> server
 *          --> member (secondary)     "not primary"
 *
 * It has no rollback of acknowledged writes and no secondary that lags. The protocol:
 * https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
// The driver that the ORM brings.
import { BSON } from 'mongodb';

type Fields = Record<string, unknown>;

/**
 * A command on its way: `{update: 'actors', …}`. Documents that came beside the body stand in it as
 * they would inside.
 */
export interface Command {
  /** `update`, `find`, … */
  readonly name: string;
  readonly collection: string;
  readonly fields: Fields;
}

/** What becomes of a command. */
export type Fate =
  | { do: 'serve' }
  /** Not applied. */
  | { do: 'refuse'; code: number; codeName: string; retryable?: boolean }
  /** Applied, and then answered with an error: the primary stepped down before its answer. */
  | { do: 'apply and refuse'; code: number; codeName: string; retryable?: boolean }
  /** Answered as applied, but without a known majority: `isApplied` tells whether it is kept. */
  | { do: 'doubt'; code: number; codeName: string; isApplied: boolean; retryable?: boolean }
  /** The line is reset, before or after it was applied. */
  | { do: 'cut'; isApplied: boolean }
  /** Each single write of it is refused with this code. */
  | { do: 'refuse each'; code: number };

export interface ReplicaSet {
  /** Names both members, and the set. */
  urlFor(database: string): string;
  /** Called for every command but those of the connection itself. Default: each is served. */
  judge(judge: (command: Command) => Fate): void;
  /**
   * The primary steps down; for that long there is none, then the other member. Commands under way
   * are cut, some after they were applied.
   */
  stepDown(goneMs: number): void;
  /**
   * Commands that were applied without a correct answer, and repeated commands that were answered
   * from the session record.
   */
  readonly seen: { hidden: number; repeated: number; refused: number };
  close(): Promise<void>;
}

const SET = 'rs0';
const MESSAGE = 2013;
const OLD_QUERY = 2004;
const OLD_REPLY = 1;

export async function aReplicaSet({ host, port }: { host: string; port: number }): Promise<ReplicaSet> {
  const members: { server: Server; port: number }[] = [];
  const sockets = new Set<Socket>();
  /** Index of the primary; -1 while there is none. */
  let primary = 0;
  let next = 1;
  let term = 1;
  let judge: (command: Command) => Fate = () => ({ do: 'serve' });
  let disarm: Timer | undefined;
  const seen = { hidden: 0, repeated: 0, refused: 0 };
  /** By session and number of the write. */
  const answers = new Map<string, Fields>();

  const hello = (member: number): Fields => {
    const hosts = members.map(each => `127.0.0.1:${each.port}`);
    return {
      helloOk: true,
      ismaster: primary === member,
      isWritablePrimary: primary === member,
      secondary: primary !== member,
      setName: SET,
      setVersion: 1,
      hosts,
      me: hosts[member],
      ...(primary < 0 ? {} : { primary: hosts[primary] }),
      ...(primary === member ? { electionId: new BSON.ObjectId(term.toString(16).padStart(24, '0')) } : {}),
      maxBsonObjectSize: 16_777_216,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      localTime: new Date(),
      logicalSessionTimeoutMinutes: 30,
      connectionId: 1,
      minWireVersion: 0,
      maxWireVersion: 21,
      readOnly: false,
      ok: 1,
    };
  };

  async function answer(member: number, request: Request, ask: (message: Buffer) => Promise<Buffer>): Promise<Buffer | 'cut'> {
    const { command, body } = request;
    const { name } = command;
    if (name === 'hello' || name === 'ismaster' || name === 'isMaster') return reply(request, hello(member));
    if (name === 'ping' || name === 'endSessions' || name === 'buildInfo') return reply(request, { ok: 1 });
    const isWrite = 'txnNumber' in body || ['insert', 'update', 'delete', 'createIndexes', 'dropDatabase', 'create', 'drop'].includes(name);
    const notPrimary = () => reply(request, refusal({ code: isWrite ? 10107 : 13435, codeName: 'NotWritablePrimary', retryable: true }));
    if (primary !== member) return notPrimary();

    const repeat = 'txnNumber' in body ? `${BSON.EJSON.stringify(body.lsid)} ${body.txnNumber}` : undefined;
    const known = repeat === undefined ? undefined : answers.get(repeat);
    const fate = judge(command);
    const office = term;
    const apply = async (): Promise<Fields> => {
      if (known) {
        seen.repeated += 1;
        return known;
      }
      const answered = fieldsOf(await ask(forServer(request)));
      if (repeat !== undefined && Number(answered.ok) === 1) answers.set(repeat, answered);
      return answered;
    };
    if (fate.do === 'refuse') {
      seen.refused += 1;
      return reply(request, refusal(fate));
    }
    if (fate.do === 'cut' && !fate.isApplied) return 'cut';
    if (fate.do === 'refuse each') {
      seen.refused += 1;
      const count = (body[name === 'insert' ? 'documents' : 'updates'] as unknown[] | undefined)?.length ?? request.count;
      const writeErrors = Array.from({ length: count }, (_, index) => ({ index, code: fate.code, errmsg: 'refused on order' }));
      return reply(request, { n: 0, nModified: 0, writeErrors, ok: 1 });
    }
    if (fate.do === 'doubt' && !fate.isApplied) {
      seen.refused += 1;
      return reply(request, { n: request.count, nModified: request.count, ...doubt(fate), ok: 1 });
    }
    const answered = await apply();
    if (fate.do === 'cut') {
      seen.hidden += 1;
      return 'cut';
    }
    if (fate.do === 'apply and refuse') {
      seen.hidden += 1;
      return reply(request, refusal(fate));
    }
    if (fate.do === 'doubt') {
      seen.hidden += 1;
      return reply(request, { ...answered, ...doubt(fate) });
    }
    if (isWrite && office !== term) {
      seen.hidden += 1;
      return reply(request, refusal({ code: 11602, codeName: 'InterruptedDueToReplStateChange', retryable: true }));
    }
    return reply(request, answered);
  }

  for (const member of [0, 1]) {
    const server = createServer({ noDelay: true }, client => {
      const upstream = connect({ host, port, noDelay: true });
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          (socket === client ? upstream : client).destroy();
        });
      }
      const fromServer = messagesOf(upstream);
      const ask = async (message: Buffer) => {
        upstream.write(message);
        const { value } = await fromServer.next();
        if (!value) throw new Error('the server went away');
        return value;
      };
      void (async () => {
        for await (const message of messagesOf(client)) {
          const answered = await answer(member, asRequest(message), ask).catch(() => 'cut' as const);
          if (answered === 'cut') client.resetAndDestroy();
          else client.write(answered);
        }
        // A line that is reset ends there.
      })().catch(() => {});
    });
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
    members.push({ server, port: (server.address() as { port: number }).port });
  }

  return {
    urlFor: database => `mongodb://${members.map(each => `127.0.0.1:${each.port}`).join(',')}/${database}?replicaSet=${SET}`,
    judge(given) {
      judge = given;
    },
    stepDown(goneMs) {
      clearTimeout(disarm);
      if (primary >= 0) next = 1 - primary;
      primary = -1;
      term += 1;
      disarm = setTimeout(() => {
        primary = next;
      }, goneMs);
    },
    seen,
    async close() {
      clearTimeout(disarm);
      for (const socket of sockets) socket.destroy();
      await Promise.all(members.map(({ server }) => new Promise(done => server.close(done))));
    },
  };
}

const labels = (retryable: boolean | undefined) => (retryable ? { errorLabels: ['RetryableWriteError'] } : {});
const refusal = ({ code, codeName, retryable }: { code: number; codeName: string; retryable?: boolean }): Fields => ({
  ok: 0,
  code,
  codeName,
  errmsg: `${codeName} on order`,
  ...labels(retryable),
});
const doubt = ({ code, codeName, retryable }: { code: number; codeName: string; retryable?: boolean }): Fields => ({
  writeConcernError: { code, codeName, errmsg: `${codeName} on order` },
  ...labels(retryable),
});

interface Request {
  id: number;
  opcode: number;
  body: Fields;
  command: Command;
  /** Sections beside the body, as they came. */
  beside: Buffer;
  /** Documents of those sections. */
  count: number;
}

/** Whole messages of a stream, in order. Ends with the stream. */
async function* messagesOf(socket: Socket): AsyncGenerator<Buffer, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of socket as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    while (rest.length >= 16 && rest.length >= rest.readInt32LE(0)) {
      const length = rest.readInt32LE(0);
      yield rest.subarray(0, length);
      rest = rest.subarray(length);
    }
  }
  return undefined;
}

function asRequest(message: Buffer): Request {
  const id = message.readInt32LE(4);
  const opcode = message.readInt32LE(12);
  if (opcode === OLD_QUERY) {
    const body = BSON.deserialize(message.subarray(message.indexOf(0, 20) + 9));
    return { id, opcode, body, command: commandOf(body), beside: Buffer.alloc(0), count: 0 };
  }
  if (opcode !== MESSAGE) throw new Error(`a message of kind ${opcode}`);
  let at = 20;
  let body: Fields = {};
  let count = 0;
  const beside: Buffer[] = [];
  const within: Fields = {};
  while (at < message.length) {
    const kind = message[at];
    const length = message.readInt32LE(at + 1);
    const section = message.subarray(at, at + 1 + length);
    if (kind === 0) body = BSON.deserialize(section.subarray(1));
    else {
      beside.push(section);
      const name = section.toString('utf8', 5, section.indexOf(0, 5));
      const documents: Fields[] = [];
      for (let place = section.indexOf(0, 5) + 1; place < section.length; place += section.readInt32LE(place)) {
        documents.push(BSON.deserialize(section.subarray(place, place + section.readInt32LE(place))));
      }
      within[name] = documents;
      count += documents.length;
    }
    at += 1 + length;
  }
  return { id, opcode, body, command: commandOf({ ...body, ...within }), beside: Buffer.concat(beside), count };
}

function commandOf(fields: Fields): Command {
  const name = Object.keys(fields)[0] ?? '';
  return { name, collection: String(fields[name]), fields };
}

/** Without what only a replica set takes. */
function forServer({ id, body, beside }: Request): Buffer {
  const { lsid, txnNumber, $clusterTime, ...plain } = body;
  return message(MESSAGE, id, 0, Buffer.concat([Buffer.alloc(5), BSON.serialize(plain), beside]));
}

const fieldsOf = (answer: Buffer): Fields => BSON.deserialize(answer.subarray(21), { promoteValues: false });

function reply({ id, opcode }: Request, fields: Fields): Buffer {
  const body = BSON.serialize(fields);
  if (opcode === MESSAGE) return message(MESSAGE, 0, id, Buffer.concat([Buffer.alloc(5), body]));
  const head = Buffer.alloc(20);
  head.writeInt32LE(8, 0);
  head.writeInt32LE(1, 16);
  return message(OLD_REPLY, 0, id, Buffer.concat([head, body]));
}

function message(opcode: number, id: number, answers: number, rest: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeInt32LE(16 + rest.length, 0);
  head.writeInt32LE(id, 4);
  head.writeInt32LE(answers, 8);
  head.writeInt32LE(opcode, 12);
  return Buffer.concat([head, rest]);
}
