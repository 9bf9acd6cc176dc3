/** Runtimes in responses of the Cloudtask dialect. */
import { z } from 'zod';
import { field, once } from '../../protocol/rest/fields.ts';
import { words } from '../../protocol/rest/responses.ts';
import { Server, succeededWith } from './answers.ts';
import { momentOrNone, userOrNone } from './job-answers.ts';
import { RUNTIME_FIELDS } from './runtime-body.ts';

const absent = field(z.literal(0), 'always 0', { example: 0 });
/** One that may join and never did. */
const Expected = z.union([
  z.object({ name: words('its name', 'host.localdomain'), status: absent }),
  z.object({ ipaddr: words('its address', '192.168.2.80'), status: absent }),
]);

export const RuntimeDocument = once(() =>
  z
    .object({
      location: RUNTIME_FIELDS.location,
      description: RUNTIME_FIELDS.description,
      owners: RUNTIME_FIELDS.owners,
      group: RUNTIME_FIELDS.group,
      servers: RUNTIME_FIELDS.servers,
      server: field(z.array(z.union([Server(), Expected])), 'its hosts, then those that may join and never did'),
      timezone: RUNTIME_FIELDS.timezone,
      createuser: userOrNone('whose request made it'),
      createat: momentOrNone('when it was made'),
      edituser: userOrNone('whose request changed it last'),
      editat: momentOrNone('when it was changed last'),
    })
    .meta({ id: 'CloudtaskRuntime' }),
);
export type RuntimeDocument = z.output<ReturnType<typeof RuntimeDocument>>;

export const OneRuntime = once(() => succeededWith(z.object({ runtime: field(RuntimeDocument(), 'the runtime') })));
export const Runtimes = once(() => succeededWith(z.object({ runtimes: field(z.array(RuntimeDocument()), 'all of them, by name') })));
