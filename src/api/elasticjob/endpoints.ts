/**
 * Every operation of the ElasticJob-Cloud dialect: what a request holds and what it answers. The
 * handler, the reference and the check of every answer in the tests follow these declarations.
 */
import { z } from 'zod';
import { endpoints } from '../../protocol/rest/endpoint.ts';
import { KillQuery } from '../../protocol/rest/execution.ts';
import { name } from '../../protocol/rest/fields.ts';
import { words } from '../../protocol/rest/responses.ts';
import { AccessToken, CloudApp, CloudJob, Done, FailoverTask, IsDisabled, listed, ReadyTask, RunningTask } from './answers.ts';
import { ModifyBody, NamedAppBody, PublishBody } from './app-body.ts';
import { CloudJobBody, CloudJobUpdate, NamedJobBody } from './job-body.ts';

const Login = z.object({
  username: words('the user', 'root'),
  password: words('the password', 'correct horse battery staple'),
});
/** A field that is missing or of another type is a wrong password here. */
const LoginBody = z
  .object({ username: Login.shape.username.catch(''), password: Login.shape.password.catch('') })
  .catch({ username: '', password: '' });

/** The name as raw body. */
const NameBody = name();

export const cloudLoginEndpoints = endpoints({
  'POST /api/login': {
    tag: 'elasticjob login',
    access: 'public',
    summary: 'Gives a token for user and password.',
    answers: AccessToken,
    body: LoginBody,
    documentedBody: Login,
    refusals: [401, 429],
  },
});

export const cloudAppEndpoints = endpoints({
  'POST /api/app': {
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Publishes an app.',
    answers: Done,
    takesKey: true,
    body: PublishBody,
  },
  'PUT /api/app': {
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Changes the given fields of an app; null puts one back to its default.',
    answers: Done,
    body: NamedAppBody,
    documentedBody: ModifyBody,
  },
  'GET /api/app/list': {
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'All apps, by name.',
    answers: () => listed(CloudApp()),
  },
  'GET /api/app/:appName': {
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'One app.',
    answers: CloudApp,
  },
  'GET /api/app/:appName/disable': {
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Is the app disabled?',
    answers: IsDisabled,
  },
  'POST /api/app/:appName/disable': {
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Its jobs start no execution.',
    answers: Done,
    query: KillQuery,
  },
  'POST /api/app/:appName/enable': {
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Its jobs start again.',
    answers: Done,
  },
  'DELETE /api/app/:appName': {
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Deregisters its jobs, then deletes the app.',
    answers: Done,
  },
});

export const cloudTaskEndpoints = endpoints({
  'GET /api/job/tasks/ready': {
    tag: 'elasticjob tasks',
    access: 'user',
    summary: 'Jobs that wait to run, and how many times.',
    answers: () => listed(ReadyTask()),
  },
  'GET /api/job/tasks/running': {
    tag: 'elasticjob tasks',
    access: 'user',
    summary: 'Shards that run.',
    answers: () => listed(RunningTask()),
  },
  'GET /api/job/tasks/failover': {
    tag: 'elasticjob tasks',
    access: 'user',
    summary: 'Shards that lost their host and wait for another one.',
    answers: () => listed(FailoverTask()),
  },
});

export const cloudJobEndpoints = endpoints({
  'POST /api/job/register': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Registers a job of a published app.',
    answers: Done,
    takesKey: true,
    body: CloudJobBody,
  },
  'PUT /api/job/update': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Registers a job anew under its name; what only /v1 can set stays, and a field that equals the answer of GET changes nothing.',
    answers: Done,
    body: NamedJobBody,
    documentedBody: CloudJobUpdate,
  },
  'DELETE /api/job/deregister': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Deletes the job named by the body and ends its running executions.',
    answers: Done,
    body: NameBody,
    bodyIsName: true,
  },
  'DELETE /api/job/:jobName/deregister': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Deletes a job and ends its running executions.',
    answers: Done,
  },
  'POST /api/job/trigger': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Runs the job named by the body now; while it runs, once more afterwards.',
    answers: Done,
    takesKey: true,
    body: NameBody,
    bodyIsName: true,
  },
  'GET /api/job/jobs': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'All jobs, by name.',
    answers: () => listed(CloudJob()),
  },
  'GET /api/job/jobs/:jobName': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'One job.',
    answers: CloudJob,
  },
  'GET /api/job/:jobName/disable': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Is the job, or its app, disabled?',
    answers: IsDisabled,
  },
  'POST /api/job/:jobName/disable': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'The job starts no execution.',
    answers: Done,
    query: KillQuery,
  },
  'POST /api/job/:jobName/enable': {
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'The job starts again when it is due.',
    answers: Done,
  },
});
