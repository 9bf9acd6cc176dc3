/** Login, logout, join tokens, health and readiness. */
import { Problem } from '../../http/errors.ts';
import { createProbe } from '../../http/probe.ts';
import { type Route, serving } from '../../http/route.ts';
import { healthEndpoints } from '../../protocol/rest/center.ts';
import { sessionEndpoints, tokenEndpoints } from '../../protocol/rest/token.ts';
import { tokenIn } from '../../security/authentication.ts';
import { StoreUnavailable } from '../../store/port.ts';
import { toIso } from '../iso.ts';
import type { Center } from '../route-context.ts';

const on = serving({ ...sessionEndpoints, ...tokenEndpoints, ...healthEndpoints });

export const sessionRoutes = (center: Center, probe = createProbe(center)): Route[] => [
  on('POST /v1/login', async ({ body, address }) => {
    const { token, expiresAt } = await center.auth.login(body.username, body.password, address);
    return { token, expiresAt: toIso(expiresAt) };
  }),
  on('POST /v1/logout', async ({ c, user }) => {
    if (user?.scope !== undefined) throw new Problem('conflict', 'a token of a program has no logout; use DELETE /v1/tokens/{name}');
    const token = tokenIn(c.req.raw);
    if (token !== undefined) await center.auth.logout(token);
  }),
  on('POST /v1/join-tokens', async ({ body }) => {
    if (body.pool !== null && !(await center.views.get(`pool/${body.pool}`))) {
      throw new Problem('invalid', `pool not found: ${body.pool}; create it first.`, { field: 'pool' });
    }
    const { token, expiresAt } = await center.auth.createJoinToken(body);
    return { token, expiresAt: toIso(expiresAt) };
  }),
  on('GET /v1/health', () => ({ status: 'ok' })),
  on('GET /v1/ready', async () => {
    const reason = center.unready?.();
    if (reason !== undefined) throw new Problem('unavailable', reason, { retryAfterMs: 1_000 });
    try {
      await probe();
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable)) throw cause;
      throw new Problem('unavailable', `the store cannot commit now: ${cause.message}`, { retryAfterMs: 1_000, cause });
    }
    const detail = center.warnings?.() ?? [];
    return { status: 'ready', ...(detail.length > 0 && { detail }) };
  }),
];
