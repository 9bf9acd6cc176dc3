/** Hosts as servers of the Cloudtask dialect. */
import ipaddr from 'ipaddr.js';
import type { View } from '../../runtime/document.ts';
import type { Server } from './answers.ts';
import { goOs, goPlatform } from './go-words.ts';

/** States in which a host serves: its session is open. */
export const SERVING = ['ready', 'draining'];

/** The page of the original joins rows by `name` or `ipaddr`: neither is ever empty. */
export function serverJson({ context, value }: View<'host'>): Server {
  const { id, name, address, capabilities, connectedAt } = context;
  return {
    key: id,
    name: name || id,
    ipaddr: ipaddr.isValid(address) ? ipaddr.process(address).toString() : address || id,
    apiaddr: '',
    os: goOs(capabilities?.os ?? ''),
    platform: goPlatform(capabilities?.arch ?? ''),
    status: SERVING.includes(String(value)) ? 1 : 0,
    alivestamp: Math.floor((connectedAt ?? 0) / 1_000),
  };
}
