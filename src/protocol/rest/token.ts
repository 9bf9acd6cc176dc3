/** Tokens: of people who log in, of programs, and of agents that join. */
import { z } from 'zod';
import { endpoints } from './endpoint.ts';
import { field, name, once, whole } from './fields.ts';
import { moment, words } from './responses.ts';
import { SCOPES } from './scope.ts';
import { secret } from './secrets.ts';

const DAY_MS = 86_400_000;
/** Longest lifetime of a token for programs, and the default. */
const API_TOKEN_MS_MAX = 3_660 * DAY_MS;
export const API_TOKEN_MS = 365 * DAY_MS;
/** Longest and default lifetime of a join token. */
const JOIN_TOKEN_MS_MAX = 3_600_000;
/** Agents that one join token may admit. */
const JOIN_TOKEN_USES_MAX = 10_000;

const scope = () =>
  field(
    z.enum(SCOPES, SCOPES.join(', ')),
    'metrics: only GET /v1/metrics; read: every request that changes nothing; all: everything but creating and revoking tokens and join tokens',
    { help: 'only metrics, only reading, or everything but creating tokens' },
  );

const ApiToken = once(() =>
  z
    .object({
      name: words('its name', 'prometheus'),
      scope: scope(),
      createdAt: moment('when it was created'),
      expiresAt: moment('when it expires'),
      lastUsedAt: moment('when it was last used; null: not since the center started').nullable(),
    })
    .meta({ id: 'ApiToken' }),
);

const Token = once(() =>
  z
    .object({ token: words('the token; only this answer has it', 'troupe_join_4f1c'), expiresAt: moment('when it expires') })
    .meta({ id: 'Token' }),
);

/** Settings of a token for a program. */
export const TokenFields = z.strictObject(
  {
    name: field(name(), 'its name', { example: 'prometheus', flag: null }),
    scope: scope().default('read'),
    expiresInMs: field(whole(1, API_TOKEN_MS_MAX), 'its lifetime', { unit: 'ms', example: API_TOKEN_MS, flag: null }).default(API_TOKEN_MS),
  },
  'a JSON object',
);

/** Settings of a join token. */
export const JoinTokenFields = z.strictObject(
  {
    pool: field(name().nullable(), 'the pool that its hosts join; null: the pool that the agent names', {
      example: 'west',
      takes: 'POOL',
      help: 'the pool that its hosts join',
      usual: 'the pool that the agent names',
    }).default(null),
    uses: field(whole(1, JOIN_TOKEN_USES_MAX), 'how many agents may use it', { example: 1 }).default(1),
    expiresInMs: field(whole(1, JOIN_TOKEN_MS_MAX), 'its lifetime', {
      unit: 'ms',
      example: JOIN_TOKEN_MS_MAX,
      help: 'its lifetime (default and longest: 1h)',
      usual: '',
    }).default(JOIN_TOKEN_MS_MAX),
  },
  'a JSON object',
);

export const sessionEndpoints = endpoints({
  'POST /v1/login': {
    tag: 'session',
    access: 'public',
    summary: 'Gives a token for user and password.',
    body: z.strictObject(
      {
        username: field(z.string('a text'), 'the user', { example: 'root' }),
        password: field(secret(z.string('a text')), 'the password', { example: 'correct horse battery staple' }),
      },
      'a JSON object',
    ),
    answers: Token,
    refusals: [401, 429],
  },
  'POST /v1/logout': {
    tag: 'session',
    access: 'user',
    summary: 'Ends the token that the request carries.',
    answers: null,
    status: 204,
    refusals: [409],
  },
});

export const tokenEndpoints = endpoints({
  'POST /v1/join-tokens': {
    tag: 'tokens',
    access: 'user',
    scope: 'login',
    summary: 'Creates a token with which agents join as hosts. It requires a login.',
    // An empty body requests the defaults.
    body: JoinTokenFields.prefault({}),
    answers: Token,
    status: 201,
  },
  'GET /v1/tokens': {
    tag: 'tokens',
    access: 'user',
    scope: 'all',
    summary: 'The tokens of programs, by name; never the secret itself.',
    answers: () =>
      z.object({
        items: field(z.array(ApiToken()), 'the tokens'),
        next: field(z.null(), 'always null: there is one page', { example: null }),
      }),
  },
  'POST /v1/tokens': {
    tag: 'tokens',
    access: 'user',
    scope: 'login',
    summary: 'Creates a token for a program. Its secret is in this answer only. It requires a login.',
    body: TokenFields,
    answers: () => ApiToken().extend({ token: words('the token; only this answer has it', 'troupe_api_4f1c') }),
    status: 201,
    refusals: [409],
  },
  'DELETE /v1/tokens/:name': {
    tag: 'tokens',
    access: 'user',
    scope: 'login',
    summary: 'Revokes the token of a program. It requires a login.',
    answers: null,
    status: 204,
  },
});
