/** The settings of a center, checked, with every default filled in. */

export interface Listener {
  /** Without brackets. */
  host: string;
  /** 0: any free port. */
  port: number;
}
export interface Config {
  listen: readonly Listener[];
  dataDir: string;
  store: { kind: 'sqlite' } | { kind: 'mongodb'; url: string };
  /**
   * Whether it waits while another center serves from the same database. Default false: it ends.
   */
  standby: boolean;
  /** null: generated at the first start. */
  rootPassword: string | null;
  auth: 'on' | 'off';
  workers: number;
  /** Pool of jobs that name none. */
  pool: string;
  /** IANA zone of schedules that name none, where their pool names none either. */
  timeZone: string;
  log: { level: 'debug' | 'info' | 'warn' | 'error'; format: 'json' | 'pretty' };
  heartbeatMs: number;
  /** A host that sends nothing for this long is lost. */
  hostGraceMs: number;
  /**
   * A host whose socket closed without a goodbye is lost after this time, ms, unless its keeper
   * reports that only the agent is gone.
   */
  closedGraceMs: number;
  allocRecoveryMs: number;
  /** Addresses and networks of proxies whose X-Forwarded-For is trusted. */
  proxies: readonly string[];
  /** Origins that browsers may call from besides our own. */
  cors: readonly string[];
  smtp: { host: string; port: number; tls: boolean; user: string | null; password: string | null } | null;
  /** Sender of mails; null without `smtp`, unless it is set. */
  smtpFrom: string | null;
  /** Key of the signature of webhooks. */
  webhookSecret: string | null;
  /** Notifications that a recipient gets per minute, over all jobs. */
  notifyPerMinute: number;
  /** Jobs with metrics of their own in `/v1/metrics`. */
  metricsJobs: number;
  /** Whether an app may have a `file:` URL. */
  fileUrls: boolean;
  /** Hosts that apps may be fetched from; null: any but link-local ones. */
  artifactHosts: readonly string[] | null;
  /** Uploaded files. */
  files: {
    /** Bytes of one file. */
    fileBytes: number;
    /** Bytes of all files, each content once. */
    filesBytes: number;
    /** Age of a content that nothing names, ms. */
    keepMs: number;
  };
  /** Backups that the center makes by itself; null: none. */
  backup: { directory: string; everyMs: number; keep: number } | null;
  /** Ages, ms, and numbers of the records that retention keeps. */
  keep: {
    executionsMs: number;
    executions: number;
    executionsPerJob: number;
    outputMs: number;
    occurrencesMs: number;
    occurrencesPerJob: number;
    postedLogsMs: number;
    postedLogs: number;
    postedLogsPerJob: number;
    factsMs: number;
    facts: number;
    tombstonesMs: number;
    tombstones: number;
  };
}
