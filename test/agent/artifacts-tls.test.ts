/** Downloads from an app host over TLS. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { anArtifactCache } from './artifact-setup.ts';

/** Of `localhost`, signed by itself, valid on 2020-01-01 alone. It opens nothing anywhere. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgq121lhAyGOkhInEu
SOc9Y2yiBHzrKOxoHxa0nn1j1O2hRANCAAQ6tylvgTceSTNvrQ78+30NxCK+KitK
arXx39ikAFCE9+2W2FTh4x0PrEyecgwkI+mO4rBnCooXtXfSpJEaJ3BR
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmjCCAT+gAwIBAgIUSqN5D7HEKbwi58VrhEB3ETK+c0IwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTIwMDEwMTAwMDAwMFoXDTIwMDEwMjAw
MDAwMFowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEOrcpb4E3Hkkzb60O/Pt9DcQiviorSmq18d/YpABQhPftlthU4eMdD6xM
nnIMJCPpjuKwZwqKF7V30qSRGidwUaNvMG0wHQYDVR0OBBYEFNKxNz+AJa7dI/Zd
734mVeiL+bh5MB8GA1UdIwQYMBaAFNKxNz+AJa7dI/Zd734mVeiL+bh5MA8GA1Ud
EwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAoGCCqGSM49
BAMCA0kAMEYCIQCEvpcK6iJdLmHn1jJK+18PskibUzJ6Ce1iDiQMWKhBpQIhAO93
8Lo2DEJCU6GPDIWjw5/uGMViR3xGykCK8icQ+Z1P
-----END CERTIFICATE-----`;

let server: Server;
beforeAll(async () => {
  server = createServer({ key: KEY, cert: CERTIFICATE }, (_, response) => response.end('#!/bin/sh\n'));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise<unknown>(resolve => server.close(resolve)));

describe('an app host with TLS', () => {
  test('row 32: an app host whose certificate has expired is not asked, and the run has the reason', async () => {
    const cache = await anArtifactCache();
    const { port } = server.address() as AddressInfo;
    const prepared = cache.prepare(`https://localhost:${port}/run.sh`);
    await expect(prepared).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('CERT_HAS_EXPIRED') });
    await cache.remove();
  });
});
