/** `/v1/tokens`: for programs that cannot log in every twelve hours, such as Prometheus. */
import { z } from 'zod';
import { type Route, route } from '../../http/route.ts';
import type { Center } from '../../http/route-context.ts';
import { iso, name, whole } from '../../protocol/rest/fields.ts';
import { moment } from '../../protocol/rest/responses.ts';
import { API_TOKEN_MS, API_TOKEN_MS_MAX, type ApiToken as Known, SCOPES } from '../../security/api-tokens.ts';

const TokenBody = z.strictObject(
  { name: name(), scope: z.enum(SCOPES, SCOPES.join(', ')).default('read'), expiresInMs: whole(1, API_TOKEN_MS_MAX).default(API_TOKEN_MS) },
  'a JSON object',
);

const ApiToken = z
  .object({
    name: z.string(),
    scope: z
      .enum(SCOPES)
      .describe('metrics: figures alone; read: whatever changes nothing; all: everything but making and ending tokens, join tokens too'),
    createdAt: moment(),
    expiresAt: moment(),
    lastUsedAt: moment().nullable().describe('null: not since the center began'),
  })
  .meta({ id: 'ApiToken' });

const shape = ({ name, scope, createdAt, expiresAt, lastUsedAt }: Known) => ({
  name,
  scope,
  createdAt: iso(createdAt),
  expiresAt: iso(expiresAt),
  lastUsedAt: iso(lastUsedAt),
});

export const tokenRoutes = ({ auth }: Pick<Center, 'auth'>): Route[] => [
  route({
    method: 'GET',
    path: '/v1/tokens',
    access: 'user',
    scope: 'all',
    says: 'The tokens of programs, by name; never the secret itself.',
    answers: z.object({ items: z.array(ApiToken), next: z.null() }),
    handle: async () => ({ items: (await auth.apiTokens()).map(shape), next: null }),
  }),
  route({
    method: 'POST',
    path: '/v1/tokens',
    access: 'user',
    scope: 'login',
    says: 'Makes a token for a program, and shows it this once. It takes a login.',
    answers: ApiToken.extend({ token: z.string() }),
    body: TokenBody,
    status: 201,
    async handle({ body }) {
      const made = await auth.createApiToken(body);
      return { ...shape(made), token: made.token };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/tokens/:name',
    access: 'user',
    scope: 'login',
    says: 'Ends the token of a program. It takes a login.',
    answers: null,
    status: 204,
    handle: ({ params }) => auth.removeApiToken(params.name),
  }),
];
