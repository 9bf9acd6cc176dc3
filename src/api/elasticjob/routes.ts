/** The ElasticJob-Cloud dialect, `/api`: bodies as its clients know them, errors as ours. */
import { z } from 'zod';
import { Problem } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { words } from '../../protocol/rest/responses.ts';
import type { RouteContext } from '../route-context.ts';
import { cloudAppRoutes } from './apps.ts';
import { cloudJobRoutes } from './jobs.ts';
import { cloudTaskRoutes } from './tasks.ts';

/** Whatever is missing or of another type is a wrong password here. */
const LoginBody = z.unknown().transform(body => {
  const { username, password } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  return { username: typeof username === 'string' ? username : '', password: typeof password === 'string' ? password : '' };
});

export const elasticjobRoutes = (center: RouteContext): Route[] => [
  route({
    method: 'POST',
    path: '/api/login',
    tag: 'elasticjob login',
    access: 'public',
    summary: 'Gives a token for user and password.',
    answers: () => z.object({ accessToken: words('the token', 'troupe_4f1c') }),
    body: LoginBody,
    documentedBody: z.object({
      username: words('the user', 'root'),
      password: words('the password', 'correct horse battery staple'),
    }),
    refusals: [401, 429],
    async handle({ body, address }) {
      if (center.config.auth === 'on' && (body.username === '' || body.password === '')) {
        throw new Problem('unauthorized', 'user or password is wrong');
      }
      const { token } = await center.auth.login(body.username, body.password, address);
      return { accessToken: token };
    },
  }),
  ...cloudAppRoutes(center),
  // Before the jobs: `tasks` and `jobs` are no names of theirs.
  ...cloudTaskRoutes(center),
  ...cloudJobRoutes(center),
];
