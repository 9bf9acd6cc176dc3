/** Calls libc functions that neither Bun nor Deno offers, on both runtimes. */

/** Argument types. `u64`: also pointers kept as numbers; `bytes`: a pointer to a JS buffer. */
type Width = 'i32' | 'u64' | 'bytes';
export type LibcCall = (...args: (number | bigint | BigUint64Array | Int32Array | Uint8Array | null)[]) => number;
/** The arguments of each function. All return a C int. */
type Signatures<Name extends string> = Record<Name, readonly Width[]>;

const NAMES = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`];

/** Resolves with undefined without Linux, FFI, or the permission to use it. */
export async function openLibc<Name extends string>(signatures: Signatures<Name>): Promise<Record<Name, LibcCall> | undefined> {
  if (process.platform !== 'linux') return undefined;
  return (await byBun(signatures)) ?? byDeno(signatures);
}

async function byBun<Name extends string>(signatures: Signatures<Name>): Promise<Record<Name, LibcCall> | undefined> {
  if (process.versions.bun === undefined) return undefined;
  // Resolved at run time: Deno must not look for a module that only Bun has.
  const { dlopen } = await import('bun:ffi');
  const functions = mapped(signatures, widths => ({
    args: widths.map(width => (width === 'bytes' ? ('ptr' as const) : width)),
    returns: 'i32' as const,
  }));
  return firstOf(name => dlopen(name, functions).symbols as unknown as Record<Name, LibcCall>);
}

interface DenoFfi {
  dlopen(name: string, symbols: Record<string, { parameters: string[]; result: string }>): { symbols: unknown };
}

function byDeno<Name extends string>(signatures: Signatures<Name>): Record<Name, LibcCall> | undefined {
  const deno = (globalThis as { Deno?: DenoFfi }).Deno;
  if (deno === undefined) return undefined;
  const functions = mapped(signatures, widths => ({
    parameters: widths.map(width => (width === 'bytes' ? 'buffer' : width)),
    result: 'i32',
  }));
  return firstOf(name => deno.dlopen(name, functions).symbols as Record<Name, LibcCall>);
}

function firstOf<T>(open: (name: string) => T): T | undefined {
  for (const name of NAMES) {
    try {
      return open(name);
    } catch {
      // The other libc, then; or no permission for any.
    }
  }
  return undefined;
}

const mapped = <Name extends string, To>(signatures: Signatures<Name>, to: (widths: readonly Width[]) => To): Record<Name, To> =>
  Object.fromEntries(Object.entries<readonly Width[]>(signatures).map(([name, widths]) => [name, to(widths)])) as Record<Name, To>;
