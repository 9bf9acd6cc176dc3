/** Forbidden app hosts: every notation, every redirect, every DNS answer. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { fetchBy } from '../../src/agent/artifacts/http.ts';
import { isForbidden, misfitOf, STRICT_RULES } from '../../src/lib/host-policy.ts';
import { anAppHost, anArtifactCache } from '../agent/artifact-setup.ts';

/**
 * 169.254.169.254, the metadata address of clouds, in the forms that tunnels and translators turn
 * into it.
 */
const METADATA = [
  ['plain', '169.254.169.254'],
  ['IPv4-mapped', '::ffff:169.254.169.254'],
  ['IPv4-mapped, in hex', '::ffff:a9fe:a9fe'],
  ['IPv4-translated', '::ffff:0:169.254.169.254'],
  ['IPv4-compatible', '::169.254.169.254'],
  ['6to4', '2002:a9fe:a9fe::1'],
  ['NAT64', '64:ff9b::169.254.169.254'],
  ['NAT64 of a site, prefix of 96 bits', '64:ff9b:1::a9fe:a9fe'],
  ['NAT64 of a site, prefix of 64 bits', '64:ff9b:1:0:a9:fea9:fe00:0'],
  ['NAT64 of a site, prefix of 56 bits', '64:ff9b:1:a9:fe:a9fe::'],
  ['NAT64 of a site, prefix of 48 bits', '64:ff9b:1:a9fe:a9:fe00::'],
  ['ISATAP, link-local', 'fe80::5efe:169.254.169.254'],
  ['ISATAP, global', '2001:db8::5efe:a9fe:a9fe'],
  ['ISATAP, unique interface id', '2001:db8:0:0:200:5efe:a9fe:a9fe'],
  ['ISATAP, private prefix', 'fd00::5efe:169.254.169.254'],
  ['Teredo, as the client', '2001:0:4136:e378:8000:63bf:5601:5601'],
  ['Teredo, as the server', '2001:0:a9fe:a9fe:8000:63bf:f5ff:fffe'],
] as const;

/** Notations that the URL parser turns into it. */
const WRITTEN = [
  '2852039166',
  '0xa9fea9fe',
  '025177524776',
  '0251.0376.0251.0376',
  '0xa9.0xfe.0xa9.0xfe',
  '169.254.43518',
  '169.16689662',
  '169.254.169.254.',
  '%31%36%39.254.169.254',
  '①⑥⑨.254.169.254',
];

const FORBIDDEN = [
  ...['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0', 'fe80::1', 'febf::1%eth0', 'FE80::1'],
  ...['100.100.100.200', '168.63.129.16', '192.0.0.192', '::ffff:100.100.100.200', 'fd00:ec2::254', 'fd20:ce:0::254'],
  ...['not an address', ''],
];
const ALLOWED = [
  ...['127.0.0.1', '10.0.0.1', '192.168.1.1', '169.253.0.1', '169.255.0.1', '1.1.1.1'],
  ...['::1', '::2', '::ffff:10.0.0.1', '2002:a00:1::1', '64:ff9b::10.0.0.1', 'fd00::1', 'fec0::1', '2606:4700::1111'],
  // The bytes of 169.254.169.254 in positions that embed no IPv4 address.
  ...['2001:db8::a9fe:a9fe', '2001:db8::5eff:a9fe:a9fe', '2001:db8::400:5efe:a9fe:a9fe', '2001:db8::5efe:10.0.0.1'],
];

test.each(METADATA)('the metadata address is forbidden as %s: %s', (_, address) => {
  expect(isForbidden(address)).toBe(true);
  const literal = isIP(address) === 6 ? `[${address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, inHex)}]` : address;
  expect(misfitOf(new URL(`http://${literal}/latest/meta-data`), { fileUrls: true, hosts: null })).toBe('forbidden');
});

test.each(WRITTEN)('the metadata address is forbidden in a url as http://%s/', written => {
  expect(misfitOf(new URL(`http://${written}/`), STRICT_RULES)).toBe('forbidden');
  expect(misfitOf(new URL(`https://user:pass@${written}:8443/`), STRICT_RULES)).toBe('forbidden');
});

test.each(FORBIDDEN)('the address "%s" is forbidden', address => expect(isForbidden(address)).toBe(true));
test.each(ALLOWED)('the address %s is allowed', address => expect(isForbidden(address)).toBe(false));

describe('an app host', () => {
  let host: Awaited<ReturnType<typeof anAppHost>>;
  beforeEach(async () => {
    host = await anAppHost();
  });
  afterEach(() => host.close());

  test.each([...METADATA.map(([, address]) => address), '2852039166', '0xa9fea9fe', '0251.0376.0251.0376'])(
    'an app host that redirects to %s is followed to the second hop and no further',
    async address => {
      const cache = await anArtifactCache();
      const literal = isIP(address) === 6 ? `[${address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, inHex)}]` : address;
      const to = (location: string) => (_: unknown, response: ServerResponse) => void response.writeHead(302, { location }).end();
      host.files['/first.sh'] = to('/second.sh');
      host.files['/second.sh'] = to(`http://${literal}/latest/meta-data`);
      await cache.prepare(host.url('/first.sh')).then(
        () => expect.unreachable(),
        problem => expect(problem).toMatchObject({ code: 'address', transient: false }),
      );
      expect(host.asked).toEqual(['/first.sh', '/second.sh']);
      await cache.remove();
    },
  );

  test.each(METADATA)('an app host whose name resolves to the metadata address as %s (%s) is not connected to', async (_, address) => {
    const good = { address: '127.0.0.1', family: 4 };
    const bad = { address, family: isIP(address) };
    // One forbidden address among others is enough: the system may choose it.
    for (const found of [[bad], [good, bad]]) {
      const fetched = fetchBy(async () => found)(new URL(`http://app.example:${host.port}/run.sh`), {
        headers: {},
        signal: new AbortController().signal,
      });
      await fetched.then(
        () => expect.unreachable(),
        problem => expect(problem).toMatchObject({ code: 'address' }),
      );
    }
    expect(host.asked).toEqual([]);
  });

  test('an app host is connected to at the address that was checked, and at no other', async () => {
    host.files['/run.sh'] = 'one';
    let times = 0;
    // The name resolves to another address after the check.
    const names = async () => [{ address: times++ === 0 ? '127.0.0.1' : '169.254.169.254', family: 4 }];
    const url = new URL(`http://app.example:${host.port}/run.sh`);
    const answer = await fetchBy(names)(url, { headers: {}, signal: new AbortController().signal });
    expect(answer.status).toBe(200);
    expect(times).toBe(1);
    answer.cancel();
  });
});

/** Bun rejects some URLs with a dotted IPv4 end. */
function inHex(_: string, ...parts: string[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
