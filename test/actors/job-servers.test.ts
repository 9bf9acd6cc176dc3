/** The servers of a job: which hosts of its pool may take its runs. */
import { expect, test } from 'bun:test';
import { shortageOf } from '../../actors/pool/capacity.ts';
import { place } from '../../actors/pool/placement.ts';
import { createCandidates } from '../../actors/table/proposals.ts';
import { aRequest } from '../support/builders.ts';

const total = { cpu: 4_000, memory: 4_000_000 };
const hosts = ['a', 'b'].map((id, nth) => ({
  ...{ id, name: `Web-${id}`, hostname: `web-${id}.example`, address: `10.0.0.${nth}`, total, open: true },
  ...{ reservations: {}, apps: {}, used: { cpu: 0, memory: 0 } },
}));
const placedOn = (servers: string[], placement: 'pack' | 'spread' = 'pack') => {
  const runs = [0, 1].map(item => ({ item, attempt: 1 }));
  return place(hosts, aRequest({ servers, placement, runs })).placed.map(({ host }) => host);
};

test('shards go only to the servers of their job, whatever the placement', () => {
  expect(placedOn(['WEB-B'])).toEqual(['b', 'b']);
  expect(placedOn(['10.0.0.1'], 'spread')).toEqual(['b', 'b']);
  expect(placedOn([])).toEqual(['a', 'a']);
  expect(place(hosts, aRequest({ servers: ['other'] }))).toMatchObject({
    placed: [],
    reason: expect.stringContaining('no host among the servers of the job'),
  });
});

test('a job that names no host of its pool has a shortage of servers', () => {
  expect(shortageOf(hosts, aRequest({ servers: ['other'] }))?.of).toBe('servers');
  expect(shortageOf(hosts, aRequest({ servers: ['web-a.example'] }))).toBeNull();
});

test('the candidates of a sticky job are the servers that it names', () => {
  const ready = hosts.map(host => [host.id, { ...host, state: 'ready' as const }] as const);
  const candidates = createCandidates({ hosts: Object.fromEntries(ready) });
  const claim = { job: 'j', id: 'i', version: 1, shards: 1, need: { cpu: 1, memory: 1 } };
  expect([...candidates({ ...claim, servers: ['web-b'] })]).toEqual(['b']);
  expect([...candidates(claim)]).toEqual(['a', 'b']);
});
