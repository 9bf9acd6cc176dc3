/** Which range an IP address is in. An IPv4 address that is mapped into IPv6 counts as IPv4. */
import ipaddr from 'ipaddr.js';

/** 127/8 and ::1. False for a text that is not an address. */
export const isLoopbackAddress = (address: string): boolean => ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';

/** The same for a host of a URL: also `localhost`, and IPv6 in brackets. */
export const isLoopbackHost = (host: string): boolean => host === 'localhost' || isLoopbackAddress(host.replace(/^\[|\]$/g, ''));

/** An IPv4 address that is mapped into IPv6, as IPv4; any other text as it is. */
export function plainAddress(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const plain = ipaddr.process(address);
  return plain.kind() === 'ipv4' ? plain.toString() : address;
}

/** `networks`: addresses, and networks such as `10.0.0.0/8`. False for what is not an address. */
export function isAmong(address: string, networks: readonly string[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return networks.some(network => {
    const [base, bits] = network.includes('/') ? ipaddr.parseCIDR(network) : hostNetwork(network);
    return base.kind() === parsed.kind() && parsed.match(base, bits);
  });
}

function hostNetwork(address: string): [ReturnType<typeof ipaddr.process>, number] {
  const parsed = ipaddr.process(address);
  return [parsed, parsed.kind() === 'ipv4' ? 32 : 128];
}
