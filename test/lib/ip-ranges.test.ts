/** Ranges of IP addresses. */
import { describe, expect, test } from 'bun:test';
import { isAmong, isLoopbackAddress, isLoopbackHost } from '../../src/lib/ip-ranges.ts';

describe('loopback', () => {
  test.each(['127.0.0.1', '127.255.3.4', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:1'])(
    'the address %s is loopback',
    address => {
      expect(isLoopbackAddress(address)).toBe(true);
      expect(isLoopbackHost(address.includes(':') ? `[${address}]` : address)).toBe(true);
    },
  );

  test.each(['128.0.0.1', '127.300.0.1', '::2', '::', '0.0.0.0', '::ffff:10.0.0.1', '127.0.0.1.example.com', 'localhost.example.com', ''])(
    'the text "%s" is not loopback',
    address => {
      expect(isLoopbackAddress(address)).toBe(false);
      expect(isLoopbackHost(address)).toBe(false);
    },
  );

  test('loopback is also called localhost', () => {
    expect(isLoopbackHost('localhost')).toBe(true);
    expect(isLoopbackAddress('localhost')).toBe(false);
  });
});

describe('an address', () => {
  test.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.8', '192.0.2.7', false],
    ['::ffff:10.1.2.3', '10.0.0.0/8', true],
    ['2001:db8::7', '2001:db8::/32', true],
    ['2001:db9::7', '2001:db8::/32', false],
    ['2001:db8::7', '10.0.0.0/8', false],
    ['unknown', '10.0.0.0/8', false],
  ])('the address %s is among %s: %p', (address, network, isIt) => {
    expect(isAmong(address, ['203.0.113.1', network])).toBe(isIt);
  });

  test('an address is among no networks where there are none', () => {
    expect(isAmong('10.1.2.3', [])).toBe(false);
  });
});
