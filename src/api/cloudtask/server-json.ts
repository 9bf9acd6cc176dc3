/** Hosts as servers of the Cloudtask dialect. */
import ipaddr from 'ipaddr.js';
import type { View } from '../../runtime/document.ts';
import { compareText } from '../../store/order.ts';
import type { Server } from './answers.ts';
import { goOs, goPlatform } from './go-words.ts';

/** States in which a host serves: its session is open. */
export const SERVING = ['ready', 'draining'];

interface Named {
  id: string;
  name: string;
  address: string;
}

/** IPv4 without the prefix that it has in IPv6; never empty. */
export const ipaddrOf = ({ id, address }: Named): string => (ipaddr.isValid(address) ? ipaddr.process(address).toString() : address || id);
/** Never empty. */
export const nameOf = ({ id, name }: Named): string => name || id;

/** The page of the original joins rows by `name` or `ipaddr`: neither is ever empty. */
export function serverJson({ context, value }: View<'host'>): Server {
  const { id, capabilities, connectedAt } = context;
  return {
    key: id,
    name: nameOf(context),
    ipaddr: ipaddrOf(context),
    apiaddr: '',
    os: goOs(capabilities?.os ?? ''),
    platform: goPlatform(capabilities?.arch ?? ''),
    status: SERVING.includes(String(value)) ? 1 : 0,
    alivestamp: Math.floor((connectedAt ?? 0) / 1_000),
  };
}

/** By name, then by address. */
export const serversInOrder = (a: Server, b: Server): number =>
  compareText(a.name, b.name) || compareText(a.ipaddr, b.ipaddr) || compareText(a.key, b.key);
