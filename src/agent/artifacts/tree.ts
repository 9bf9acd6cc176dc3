/**
 * A directory filled from an archive nobody trusts. Only this file creates anything, and it knows everything it created: parents are directories it
 * made itself, links come last and only after they were followed on paper, so nothing is ever written through one.
 */
import { link, mkdir, open, symlink } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { ArtifactError } from '../ports.ts';
import type { ArtifactLimits } from './limits.ts';

export interface Tree {
  directory(name: string): Promise<void>;
  /** `mode`: only its run bit counts; setuid and setgid are refused. */
  file(name: string, mode: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  symlink(name: string, target: string): void;
  /** To a file that came before. */
  hardlink(name: string, target: string): Promise<void>;
  /** Makes the links, forces all to the disk. Resolves to the bytes of all files. */
  finish(): Promise<number>;
}

const NAME_MAX = 255;
const PATH_MAX = 4_000;
const LINK_HOPS_MAX = 40;

export const unsafe = (message: string): ArtifactError => new ArtifactError('unsafe', message, { transient: false });

type Node = { kind: 'directory' } | { kind: 'file' } | { kind: 'link'; target: string };

/** `root` exists and is empty; `packedBytes` is the size of the archive. All methods throw ArtifactError for what must not be. */
export function createTree(root: string, packedBytes: number, limits: ArtifactLimits): Tree {
  const nodes = new Map<string, Node>();
  const folded = new Map<string, string>();
  let entries = 0;
  let bytes = 0;

  const claim = (path: string, node: Node) => {
    entries++;
    if (entries > limits.entries) throw tooLarge(`has more than ${limits.entries} entries`);
    if (nodes.has(path)) throw unsafe(`the archive has two entries "${path}"`);
    const fold = path.normalize('NFC').toLowerCase();
    const twin = folded.get(fold);
    if (twin !== undefined) throw unsafe(`the archive has "${twin}" and "${path}", which are one file on some hosts`);
    folded.set(fold, path);
    nodes.set(path, node);
  };

  const makeDirectory = async (path: string) => {
    const known = nodes.get(path);
    // Said twice, or made for something inside it: the same directory.
    if (known?.kind === 'directory') return;
    if (known) throw unsafe(`the archive has "${path}" as a directory and as something else`);
    claim(path, { kind: 'directory' });
    await mkdir(join(root, path), 0o755);
  };

  const makeParents = async (path: string) => {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) await makeDirectory(parts.slice(0, depth).join('/'));
  };

  const addBytes = (count: number) => {
    bytes += count;
    if (bytes > limits.unpackedBytes) throw tooLarge(`unpacks to more than ${limits.unpackedBytes} bytes`);
    if (bytes > limits.ratioFromBytes && bytes > limits.ratio * packedBytes)
      throw tooLarge(`unpacks to more than ${limits.ratio} times its size`);
  };

  const follow = (path: string) => {
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
  };

  return {
    async directory(name) {
      const path = clean(name);
      if (path === '') return;
      await makeParents(path);
      await makeDirectory(path);
    },
    async file(name, mode, source) {
      const path = clean(name);
      if (path === '') throw unsafe('the archive has a file without a name');
      if ((mode & 0o6000) !== 0) throw unsafe(`"${path}" would run with its owner's rights (setuid or setgid)`);
      await makeParents(path);
      claim(path, { kind: 'file' });
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const out = await open(join(root, path), flags, (mode & 0o111) === 0 ? 0o644 : 0o755);
      try {
        for await (const chunk of source) {
          addBytes(chunk.byteLength);
          await out.writeFile(chunk);
        }
        await out.sync();
      } finally {
        await out.close();
      }
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
      if (nodes.get(source)?.kind !== 'file') throw unsafe(`the hard link "${path}" does not lead to a file that came before`);
      await makeParents(path);
      claim(path, { kind: 'file' });
      await link(join(root, source), join(root, path));
    },
    async finish() {
      const links = [...nodes].flatMap(([path, node]) => (node.kind === 'link' ? [{ path, target: node.target }] : []));
      for (const { path } of links) await makeParents(path);
      for (const { path } of links) follow(path);
      for (const { path, target } of links) await symlink(target, join(root, path));
      for (const [path, node] of nodes) if (node.kind === 'directory') await syncDirectory(join(root, path));
      await syncDirectory(root);
      return bytes;
    },
  };
}

/** The path inside the tree, '' for its root. Backslashes separate like slashes: archives made elsewhere have them. */
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
