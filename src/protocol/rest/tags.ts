/** The resources of the reference, in its order, each with a sentence. */
export const TAGS = {
  session: 'Login and logout of people.',
  tokens: 'Tokens of programs, and tokens by which agents join.',
  jobs: 'What runs, when, and with which policies.',
  schedules: 'When something is due.',
  occurrences: 'Each due time of a job with its verdict.',
  executions: 'Each fire of a job: shards, attempts, outcome, output.',
  apps: 'What hosts fetch and start.',
  hosts: 'The machines with an agent.',
  pools: 'Named groups of hosts, and who holds what of them.',
  history: 'The facts of one actor.',
  feed: 'Facts as they happen.',
  agents: 'The socket of the agents.',
  center: 'Health, figures, and this reference.',
  'elasticjob login': 'ElasticJob-Cloud: login.',
  'elasticjob apps': 'ElasticJob-Cloud: apps.',
  'elasticjob tasks': 'ElasticJob-Cloud: what waits and what runs.',
  'elasticjob jobs': 'ElasticJob-Cloud: jobs.',
} as const;

export type Tag = keyof typeof TAGS;
