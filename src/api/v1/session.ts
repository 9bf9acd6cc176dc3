/** Login, logout, join tokens; and whether the center lives and serves. */
import { z } from 'zod';
import { Problem } from '../../http/errors.ts';
import { createProbe } from '../../http/probe.ts';
import { type Route, route } from '../../http/route.ts';
import type { Center } from '../../http/route-context.ts';
import { iso, name, whole } from '../../protocol/rest/fields.ts';
import { moment } from '../../protocol/rest/responses.ts';
import { secret } from '../../protocol/rest/secrets.ts';
import { tokenIn } from '../../security/authentication.ts';
import { JOIN_TOKEN_MS_MAX, JOIN_TOKEN_USES_MAX } from '../../security/join-tokens.ts';
import { StoreUnavailable } from '../../store/port.ts';

const LoginBody = z.strictObject({ username: z.string('a text'), password: secret(z.string('a text')) }, 'a JSON object');

/** An empty body is a wish without particulars. */
const JoinTokenBody = z
  .strictObject(
    {
      pool: name().nullable().default(null),
      uses: whole(1, JOIN_TOKEN_USES_MAX).default(1),
      expiresInMs: whole(1, JOIN_TOKEN_MS_MAX).default(JOIN_TOKEN_MS_MAX),
    },
    'a JSON object',
  )
  .prefault({});

const Token = z.object({ token: z.string(), expiresAt: moment() }).meta({ id: 'Token' });

export const sessionRoutes = (center: Center, probe = createProbe(center)): Route[] => [
  route({
    method: 'POST',
    path: '/v1/login',
    access: 'public',
    says: 'Gives a token for user and password.',
    answers: Token,
    body: LoginBody,
    async handle({ body, address }) {
      const { token, expiresAt } = await center.auth.login(body.username, body.password, address);
      return { token, expiresAt: iso(expiresAt) };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/logout',
    access: 'user',
    says: 'Ends the token that the request carries.',
    answers: null,
    status: 204,
    async handle({ c, user }) {
      if (user?.scope !== undefined) throw new Problem('conflict', 'the token of a program ends by DELETE /v1/tokens/{name}');
      const token = tokenIn(c.req.raw);
      if (token !== undefined) await center.auth.logout(token);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/join-tokens',
    access: 'user',
    scope: 'login',
    says: 'Makes a token by which agents become hosts. It takes a login.',
    answers: Token,
    body: JoinTokenBody,
    status: 201,
    async handle({ body }) {
      if (body.pool !== null && !(await center.views.get(`pool/${body.pool}`))) {
        throw new Problem('invalid', `there is no pool ${body.pool}; create it first.`, { field: 'pool' });
      }
      const { token, expiresAt } = await center.auth.createJoinToken(body);
      return { token, expiresAt: iso(expiresAt) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/health',
    access: 'public',
    says: 'The process lives.',
    answers: z.object({ status: z.literal('ok') }),
    handle: () => ({ status: 'ok' }),
  }),
  route({
    method: 'GET',
    path: '/v1/ready',
    access: 'public',
    says: 'Store and partitions serve; else 503 with the reason. Whether the store can commit is looked at once a second at most.',
    answers: z.object({
      status: z.literal('ready'),
      detail: z.array(z.string()).optional().meta({ description: 'What needs attention although the center serves.' }),
    }),
    async handle() {
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
    },
  }),
];
