/** `/v1/tokens`: tokens of programs that cannot log in every twelve hours, such as Prometheus. */
import { type Route, serving } from '../../http/route.ts';
import { tokenEndpoints } from '../../protocol/rest/token.ts';
import type { ApiToken as Known } from '../../security/api-tokens.ts';
import { toIso } from '../iso.ts';
import type { Center } from '../route-context.ts';

const on = serving(tokenEndpoints);

const shape = ({ name, scope, createdAt, expiresAt, lastUsedAt }: Known) => ({
  name,
  scope,
  createdAt: toIso(createdAt),
  expiresAt: toIso(expiresAt),
  lastUsedAt: toIso(lastUsedAt),
});

export const tokenRoutes = ({ auth }: Pick<Center, 'auth'>): Route[] => [
  on('GET /v1/tokens', async () => ({ items: (await auth.apiTokens()).map(shape), next: null })),
  on('POST /v1/tokens', async ({ body }) => {
    const made = await auth.createApiToken(body);
    return { ...shape(made), token: made.token };
  }),
  on('DELETE /v1/tokens/:name', ({ params }) => auth.removeApiToken(params.name)),
];
