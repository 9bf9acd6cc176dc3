/**
 * Fills a directory from an untrusted archive. Only this file creates entries, and it keeps a list
 * of them. Links are created last, once each is resolved against that list: no write follows a
 * link.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, chown, lchown, link, mkdir, open, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtifactError } from '../ports.ts';
import type { ArtifactLimits } from './limits.ts';

/** One entry of an unpacked app. The root has the path ''. */
export interface AppEntry {
  path: string;
  kind: 'directory' | 'file' | 'link';
  /** Permission bits; 0 of a link. */
  mode: number;
  /** Of a file. */
  sha256?: string;
  /** Of a link. */
  target?: string;
}

export interface Unpacked {
  /** Of all files. */
  bytes: number;
  /** Each directory before its entries. */
  entries: AppEntry[];
}

/** Owner of an unpacked app, when it is not the agent's own user. */
export interface Owner {
  uid: number;
  gid: number;
}

export interface GuardedTree {
  /** `mode`: as `file` takes it. */
  directory(name: string, mode?: number): Promise<void>;
  /** `mode`: permissions as packed, 0 = not in the archive. Throws on setuid and setgid. */
  file(name: string, mode: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  symlink(name: string, target: string): void;
  /** `target`: an earlier file. */
  hardlink(name: string, target: string): Promise<void>;
  /** Creates the links, sets modes and owner, syncs everything. */
  finish(): Promise<Unpacked>;
}

const NAME_MAX = 255;
const PATH_MAX = 4_000;
const LINK_HOPS_MAX = 40;

export const unsafe = (message: string): ArtifactError => new ArtifactError('unsafe', message, { transient: false });

type Node = { kind: 'directory'; mode: number } | { kind: 'file'; mode: number; sha256: string } | { kind: 'link'; target: string };

const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;
const PERMISSIONS = 0o777;

export interface TreeOptions {
  /** Exists and is empty. */
  root: string;
  /** Size of the archive. */
  packedBytes: number;
  limits: ArtifactLimits;
  owner?: Owner | undefined;
}

/** All methods throw ArtifactError for an unsafe or too large archive. */
export function createGuardedTree({ root, packedBytes, limits, owner }: TreeOptions): GuardedTree {
  const contents = createContents(limits, packedBytes);
  const { nodes, claim } = contents;
  let rootMode = DIRECTORY_MODE;

  const makeDirectory = async (path: string) => {
    const known = nodes.get(path);
    // Repeated, or created for an entry inside it.
    if (known?.kind === 'directory') return;
    if (known) throw unsafe(`the archive has "${path}" as a directory and as something else`);
    claim(path, { kind: 'directory', mode: DIRECTORY_MODE });
    // `finish` sets the packed mode, which may forbid writes.
    await mkdir(join(root, path), 0o700);
  };

  const makeParents = async (path: string) => {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) await makeDirectory(parts.slice(0, depth).join('/'));
  };

  return {
    async directory(name, mode = 0) {
      const path = clean(name);
      const packed = mode & PERMISSIONS || DIRECTORY_MODE;
      if (path === '') {
        rootMode = packed;
        return;
      }
      await makeParents(path);
      await makeDirectory(path);
      nodes.set(path, { kind: 'directory', mode: packed });
    },
    async file(name, mode, source) {
      const path = clean(name);
      if (path === '') throw unsafe('the archive has a file without a name');
      if ((mode & 0o6000) !== 0) throw unsafe(`"${path}" would run with its owner's rights (setuid or setgid)`);
      await makeParents(path);
      const node = { kind: 'file' as const, mode: mode & PERMISSIONS || FILE_MODE, sha256: '' };
      claim(path, node);
      node.sha256 = await writeNewFile(join(root, path), { mode: node.mode, owner }, contents.count(source));
    },
    symlink(name, target) {
      const path = clean(name);
      if (path === '' || target === '' || target.includes('\0')) throw unsafe('the archive has a link without a name or a target');
      if (target.startsWith('/') || target.length > PATH_MAX) throw unsafe(`the link "${path}" leads out of the archive`);
      claim(path, { kind: 'link', target });
    },
    async hardlink(name, target) {
      const path = clean(name);
      const source = clean(target);
      const known = nodes.get(source);
      if (known?.kind !== 'file') throw unsafe(`the hard link "${path}" does not lead to a file that came before`);
      await makeParents(path);
      claim(path, known);
      await link(join(root, source), join(root, path));
    },
    async finish() {
      const links = [...nodes].flatMap(([path, node]) => (node.kind === 'link' ? [{ path, target: node.target }] : []));
      for (const { path } of links) await makeParents(path);
      for (const { path } of links) checkLink(nodes, path);
      for (const { path, target } of links) {
        await symlink(target, join(root, path));
        if (owner) await lchown(join(root, path), owner.uid, owner.gid);
      }
      nodes.set('', { kind: 'directory', mode: rootMode });
      await finishDirectories(root, nodes, owner);
      return { bytes: contents.bytes(), entries: entriesOf(nodes) };
    },
  };
}

/** The entries of the archive so far, within the limits. */
function createContents(limits: ArtifactLimits, packedBytes: number) {
  const nodes = new Map<string, Node>();
  const folded = new Map<string, string>();
  let entries = 0;
  let bytes = 0;

  const addBytes = (count: number) => {
    bytes += count;
    if (bytes > limits.unpackedBytes) throw tooLarge(`unpacks to more than ${limits.unpackedBytes} bytes`);
    if (bytes > limits.ratioFromBytes && bytes > limits.ratio * packedBytes)
      throw tooLarge(`unpacks to more than ${limits.ratio} times its size`);
  };

  return {
    nodes,
    bytes: () => bytes,
    claim(path: string, node: Node): void {
      entries++;
      if (entries > limits.entries) throw tooLarge(`has more than ${limits.entries} entries`);
      if (nodes.has(path)) throw unsafe(`the archive has two entries "${path}"`);
      const fold = path.normalize('NFC').toLowerCase();
      const twin = folded.get(fold);
      if (twin !== undefined) throw unsafe(`the archive has "${twin}" and "${path}", which are one file on some hosts`);
      folded.set(fold, path);
      nodes.set(path, node);
    },
    async *count(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of source) {
        addBytes(chunk.byteLength);
        yield chunk;
      }
    },
  };
}

/** Resolves with the SHA-256 once the file is on the disk. */
async function writeNewFile(
  path: string,
  { mode, owner }: { mode: number; owner: Owner | undefined },
  source: AsyncIterable<Uint8Array>,
): Promise<string> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const out = await open(path, flags, 0o600);
  const hash = createHash('sha256');
  try {
    for await (const chunk of source) {
      hash.update(chunk);
      await out.writeFile(chunk);
    }
    // Not by `open`, which applies the umask. The owner first: its change clears mode bits.
    if (owner) await out.chown(owner.uid, owner.gid);
    await out.chmod(mode);
    await out.sync();
  } finally {
    await out.close();
  }
  return hash.digest('hex');
}

/** Follows a link by the known entries. Throws unless it ends at an entry of the archive. */
function checkLink(nodes: ReadonlyMap<string, Node>, path: string): void {
  let left = [...path.split('/')];
  const at: string[] = [];
  for (let hops = 0; left.length > 0; ) {
    const [part = '', ...rest] = left;
    left = rest;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.pop() === undefined) throw unsafe(`the link "${path}" leads out of the archive`);
      continue;
    }
    at.push(part);
    const node = nodes.get(at.join('/'));
    if (!node) throw unsafe(`the link "${path}" leads to nothing in the archive`);
    if (node.kind === 'file' && left.length > 0) throw unsafe(`the link "${path}" leads through a file`);
    if (node.kind !== 'link') continue;
    if (++hops > LINK_HOPS_MAX) throw unsafe(`the link "${path}" leads in circles`);
    at.pop();
    left = [...node.target.split('/'), ...left];
  }
}

/**
 * Syncs the directories and sets owner and mode, the deepest first: a mode may lock the agent out.
 */
async function finishDirectories(root: string, nodes: ReadonlyMap<string, Node>, owner: Owner | undefined): Promise<void> {
  for (const path of [...nodes.keys()].sort().reverse()) {
    const node = nodes.get(path);
    if (node?.kind !== 'directory') continue;
    await syncDirectory(join(root, path));
    if (owner) await chown(join(root, path), owner.uid, owner.gid);
    await chmod(join(root, path), node.mode);
  }
}

function entriesOf(nodes: Map<string, Node>): AppEntry[] {
  return [...nodes.keys()].sort().flatMap((path): AppEntry[] => {
    const node = nodes.get(path);
    if (!node) return [];
    return [node.kind === 'link' ? { path, kind: 'link', mode: 0, target: node.target } : { path, ...node }];
  });
}

/**
 * The path inside the tree, '' for its root. Backslashes are separators: some archives have them.
 */
function clean(name: string): string {
  if (name.includes('\0')) throw unsafe('the archive has a name with a NUL');
  const slashed = name.replaceAll('\\', '/');
  if (slashed.startsWith('/') || /^[A-Za-z]:/.test(slashed)) throw unsafe(`the archive has the absolute path "${name}"`);
  const parts = slashed.split('/').filter(part => part !== '' && part !== '.');
  if (parts.includes('..')) throw unsafe(`the archive has the path "${name}", which leads out of it`);
  const path = parts.join('/');
  if (path.length > PATH_MAX || parts.some(part => Buffer.byteLength(part) > NAME_MAX))
    throw unsafe('the archive has a path that is too long');
  return path;
}

const tooLarge = (what: string): ArtifactError => new ArtifactError('tooLarge', `the archive ${what}`, { transient: false });

export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
