/** A runtime as a response of Cloudtask. */
import ipaddr from 'ipaddr.js';
import { type NamedHost, namedBy } from '../../../actors/pool/admission.ts';
import type { View } from '../../runtime/document.ts';
import { timeOf } from './job-json.ts';
import type { RuntimeDocument } from './runtime-answers.ts';
import { runtimeSettings } from './runtime-body.ts';
import { serverJson, serversInOrder } from './server-json.ts';

/** `hosts`: those of the pool. */
export function runtimeDocument({ context }: View<'pool'>, hosts: readonly View<'host'>[]): RuntimeDocument {
  const { timezone, ...settings } = runtimeSettings(context.config);
  const known = hosts.map(namesOf);
  const expected = settings.servers.filter(entry => !known.some(namedBy([entry])));
  return {
    ...settings,
    server: [...hosts.map(serverJson).sort(serversInOrder), ...expected.map(expectedJson)],
    timezone,
    createuser: context.createdBy ?? '',
    createat: timeOf(context.createdAt),
    edituser: context.updatedBy ?? '',
    editat: timeOf(context.updatedAt),
  };
}

const namesOf = ({ context: { name, address, capabilities } }: View<'host'>): NamedHost => ({
  name,
  address,
  hostname: capabilities?.hostname ?? '',
});

const expectedJson = (entry: string) =>
  ipaddr.isValid(entry) ? { ipaddr: entry, status: 0 as const } : { name: entry, status: 0 as const };
