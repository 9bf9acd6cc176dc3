/** Hashes passwords in a thread: argon2id takes 0.1 s of a core and would stop the main one. */
import { platform, setPriority } from 'node:os';
import { argon2id, argon2Verify } from 'hash-wasm';

export type ToPasswordThread =
  | { id: number; type: 'hash'; password: string; salt: Uint8Array }
  | { id: number; type: 'verify'; password: string; hash: string };
export type FromPasswordThread = { id: number; value: string | boolean } | { id: number; error: string };

interface Scope {
  onmessage: ((event: MessageEvent<ToPasswordThread>) => void) | null;
  postMessage(message: FromPasswordThread): void;
}

/** Gives busy cores to the serving threads first. Only Linux has a priority per thread. */
const NICE = 5;
try {
  if (platform() === 'linux') setPriority(0, NICE);
} catch {
  // Deno needs --allow-sys for it. Hashing works without.
}

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data }) => {
  work(data).then(
    value => scope.postMessage({ id: data.id, value }),
    (error: unknown) => scope.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) }),
  );
};

/** Async: the library throws synchronously for a malformed hash. */
async function work(asked: ToPasswordThread): Promise<string | boolean> {
  const { password } = asked;
  if (asked.type === 'verify') return argon2Verify({ password, hash: asked.hash });
  // The minimum that OWASP recommends: 19 MiB, 2 passes, 1 lane.
  const cost = { memorySize: 19_456, iterations: 2, parallelism: 1, hashLength: 32 } as const;
  return argon2id({ password, salt: asked.salt, ...cost, outputType: 'encoded' });
}
