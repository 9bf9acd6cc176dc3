/** The thread that hashes passwords: argon2id takes a tenth of a second of a core, in which the main thread would serve nobody. */
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

/** Behind the threads that serve, where all cores are busy. Linux keeps a priority for each thread; others would lower the whole center's. */
const NICE = 5;
try {
  if (platform() === 'linux') setPriority(0, NICE);
} catch {
  // Deno may do so with --allow-sys only. It hashes as well without.
}

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data }) => {
  work(data).then(
    value => scope.postMessage({ id: data.id, value }),
    (error: unknown) => scope.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) }),
  );
};

/** Async, because the library throws at once for what is no hash. */
async function work(asked: ToPasswordThread): Promise<string | boolean> {
  const { password } = asked;
  if (asked.type === 'verify') return argon2Verify({ password, hash: asked.hash });
  // OWASP's floor: 19 MiB, 2 passes, 1 lane.
  const cost = { memorySize: 19_456, iterations: 2, parallelism: 1, hashLength: 32 } as const;
  return argon2id({ password, salt: asked.salt, ...cost, outputType: 'encoded' });
}
