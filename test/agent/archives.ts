/** Archives as their makers would, and as their makers never should. */
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

export interface TarEntry {
  name: string;
  type?: 'file' | 'link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';
  mode?: number;
  linkname?: string;
  content?: string | Buffer;
  /** Extended headers; a long one makes a long record before the entry. */
  pax?: Record<string, string>;
}

export async function aTar(entries: TarEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) tar.entry(header, content ?? '');
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}

export const aTgz = async (entries: TarEntry[]): Promise<Buffer> => gzipSync(await aTar(entries));

export interface ZipEntry {
  name: string;
  /** Values in the header of the entry, where they differ from the list. */
  localName?: string;
  mode?: number;
  content?: string | Buffer;
  crc?: number;
  size?: number;
  encrypted?: boolean;
  /** Places the entry's bytes where an earlier one has its own. */
  sharesWith?: number;
}

export function aZip(entries: ZipEntry[]): Buffer {
  const bodies: Buffer[] = [];
  const list: Buffer[] = [];
  const places: number[] = [];
  let at = 0;
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '');
    const packed = deflateRawSync(content);
    const [name, localName] = [Buffer.from(entry.name), Buffer.from(entry.localName ?? entry.name)];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    // Names are in UTF-8.
    common.writeUInt16LE(0x800 | (entry.encrypted ? 1 : 0), 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(entry.crc ?? crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(entry.size ?? content.length, 18);
    common.writeUInt16LE(localName.length, 22);
    places.push(entry.sharesWith === undefined ? at : (places[entry.sharesWith] ?? 0));
    if (entry.sharesWith === undefined) {
      const body = Buffer.concat([Buffer.from('PK\x03\x04'), common, localName, packed]);
      bodies.push(body);
      at += body.length;
    }
    common.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 6);
    tail.writeUInt32LE(places.at(-1) ?? 0, 10);
    list.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), common, tail, name]));
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(Buffer.concat(list).length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, ...list, end]);
}
