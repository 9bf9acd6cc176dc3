/** The rules of `/cloudtask/v2`: its envelope of errors, and bodies as the original read them. */
import { z } from 'zod';
import type { ReportedError } from '../../http/errors.ts';
import type { SurfaceRules } from '../../http/surface.ts';
import { field, once } from '../../protocol/rest/fields.ts';
import { words } from '../../protocol/rest/responses.ts';
import { readGoBody } from './go-json.ts';

const INVALID = 'request resolve invaild.';
const FORBIDDEN = 'request forbidden.';
const EXCEPTION = 'request server exception.';

/** `content` by status. Of a conflict it is the sentence itself. */
const CONTENT: Record<number, string> = {
  400: INVALID,
  401: 'request unauthorized.',
  403: FORBIDDEN,
  404: 'request resource not found.',
  413: INVALID,
  416: INVALID,
  // A foreign Host.
  421: FORBIDDEN,
};

function body({ status, message }: ReportedError) {
  const error = /[.?!]$/.test(message) ? message : `${message}.`;
  return { content: status === 409 ? error : (CONTENT[status] ?? EXCEPTION), error };
}

const CloudtaskError = once(() =>
  z
    .object({
      content: field(z.string(), 'a text for each status; of a conflict the sentence of `error`', { example: INVALID }),
      error: words('one sentence: the field, what came, what is expected', 'action is "pause", but must be start or stop.'),
    })
    .meta({ id: 'CloudtaskError' }),
);

export const cloudtaskRules: SurfaceRules = {
  prefix: '/cloudtask/v2',
  errors: { body, schema: CloudtaskError },
  readBody: readGoBody,
  lenient: true,
  exactPaths: true,
  trimsParams: true,
  corsHeaders: ['Accept', 'Content-Type', 'X-Requested-With', 'Authorization', 'accessToken'],
};
