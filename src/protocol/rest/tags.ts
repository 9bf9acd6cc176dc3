/** The resources of the reference, in its order, each with a sentence. */
export const TAGS = {
  session: 'Login and logout of people.',
  tokens: 'Tokens of programs, and tokens by which agents join.',
  jobs: 'Programs with schedules and policies.',
  schedules: 'Due times of a schedule.',
  occurrences: 'Each due time of a job with its verdict.',
  executions: 'Each fire of a job: shards, attempts, outcome, output.',
  apps: 'Archives and scripts that hosts fetch and start.',
  files: 'Uploaded archives, scripts and other content, by digest.',
  hosts: 'Machines with an agent.',
  pools: 'Named groups of hosts, with their capacity and its reservations.',
  history: 'The facts of one actor.',
  feed: 'Facts as they happen.',
  agents: 'The socket of the agents.',
  center: 'Health, metrics, and this reference.',
  'elasticjob login': 'ElasticJob-Cloud: login.',
  'elasticjob apps': 'ElasticJob-Cloud: apps.',
  'elasticjob tasks': 'ElasticJob-Cloud: waiting and running tasks.',
  'elasticjob jobs': 'ElasticJob-Cloud: jobs.',
  'cloudtask center': 'Cloudtask: the center itself.',
  'cloudtask files': 'Cloudtask: archives of jobs.',
  'cloudtask jobs': 'Cloudtask: jobs.',
  'cloudtask logs': 'Cloudtask: logs of runs, and what agents and web server of the original post.',
  'cloudtask runtimes': 'Cloudtask: runtimes, which are pools here, and their servers.',
} as const;

export type Tag = keyof typeof TAGS;
