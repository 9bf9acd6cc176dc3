/** Responses of the Cloudtask dialect, with its field names and its texts, misspelt as they are. */
import { z } from 'zod';
import { field, once } from '../../protocol/rest/fields.ts';
import { count, words } from '../../protocol/rest/responses.ts';

const SUCCEEDED = 'request successed.';

/** The schema of a success with `data`. */
export const succeededWith = <Data extends z.ZodType>(data: Data) =>
  z.object({
    content: field(z.literal(SUCCEEDED), 'always this text', { example: SUCCEEDED }),
    data: field(data, 'the result'),
  });

/** The body of a success with `data`. */
export const succeeded = <Data>(data: Data) => ({ content: SUCCEEDED, data }) as const;

/** A success without `data`. */
export const SUCCEEDED_ALONE = { content: SUCCEEDED } as const;
export const Succeeded = once(() => z.object({ content: field(z.literal(SUCCEEDED), 'always this text', { example: SUCCEEDED }) }));

/** A host, as the original shows its servers. */
export const Server = once(() =>
  z
    .object({
      key: words('stays with the host', '529ae1f4-d7ea-45e0-0f3f-32aefaba281c'),
      name: words('as its agent calls it', 'host.localdomain'),
      ipaddr: words('the address that its agent connects from', '192.168.2.80'),
      apiaddr: field(z.literal(''), 'always empty: agents do not listen', { example: '' }),
      os: words('operating system, in the words of Go', 'linux'),
      platform: words('processor, in the words of Go', 'amd64'),
      status: field(z.union([z.literal(0), z.literal(1)]), '1: ready or draining', { example: 1 }),
      alivestamp: count('the second at which its session began, UNIX time', { example: 1_521_276_530 }),
    })
    .meta({ id: 'CloudtaskServer' }),
);
export type Server = z.output<ReturnType<typeof Server>>;

export const Servers = once(() => succeededWith(z.object({ servers: field(z.array(Server()), 'by name') })));

const AllocRow = once(() =>
  z
    .object({
      jobid: words('of the job', 'e7994ade7a32b13b4a51788d'),
      key: words('of its host', '517ae088-779c-4520-b23f-e5f0c341081d'),
      version: count('of the job', { example: 3 }),
      jobname: words('its name', 'MKPL-XML-Update'),
      ipaddr: words('the address of the host, as in `servers`', '192.168.2.81'),
      hostname: words('the name of the host, as in `servers`', 'host.localdomain'),
    })
    .meta({ id: 'CloudtaskAllocRow' }),
);

const Alloc = once(() =>
  z
    .object({
      location: words('the runtime', 'myCluster'),
      version: count('+1 with each change of the table', { example: 53 }),
      data: field(z.array(AllocRow()), 'a row for each job with a host, in the order in which they got it'),
    })
    .meta({ id: 'CloudtaskAlloc' }),
);
export type Alloc = z.output<ReturnType<typeof Alloc>>;

export const JobsAlloc = once(() => succeededWith(z.object({ alloc: field(Alloc(), 'the table') })));

export const UploadedFile = once(() =>
  succeededWith(
    z.object({
      file: z
        .object({
          filename: words('its name', 'reports.tar.gz'),
          filecode: words('MD5 of the content', 'd41d8cd98f00b204e9800998ecf8427e'),
          sha256: words('SHA-256 of the content', 'a'.repeat(64)),
          size: count('bytes', { example: 1_048_576 }),
        })
        .meta({ id: 'CloudtaskFile', description: 'a content under one of its names' }),
    }),
  ),
);

const ACCEPTED = 'request accepted.';

/** A 202 without `data`. */
export const ACCEPTED_ALONE = { content: ACCEPTED } as const;
export const Accepted = once(() => z.object({ content: field(z.literal(ACCEPTED), 'always this text', { example: ACCEPTED }) }));

/** A part was stored, and further ones are missing. */
export const AcceptedPart = once(() =>
  z.object({
    content: field(z.literal(ACCEPTED), 'always this text', { example: ACCEPTED }),
    data: z.object({ received: count('bytes of this upload that are there', { example: 65_536 }) }).describe('what is there'),
  }),
);

/** The body of a 202 with `data`. */
export const accepted = <Data>(data: Data) => ({ content: ACCEPTED, data }) as const;
