/** Limits of the agent, each with its behaviour at the limit. */
export interface AgentLimits {
  /** Runs that have not ended; a further start is refused. 1,000 of them fit into one hello. */
  runsMax: number;
  /**
   * Runs whose app is fetched, unpacked and handed to the keeper at the same time; further ones
   * wait their turn.
   */
  preparingMax: number;
  /** The same for runs without an app, which wait for no download. */
  startingMax: number;
  /** Crashes of the agent while it prepared one run; then the run is parked, not moved. */
  preparationDeathsMax: number;
  /** Records of ended runs, to recognise repeated commands; the oldest are deleted first. */
  endedKeptMax: number;
  endedKeptMs: number;
  /** A report or output that no center took for this long after the end of its run is dropped. */
  undeliveredMs: number;
  /**
   * Bytes of output of ended runs that no center has taken yet; beyond, the output of the runs that
   * ended first is dropped.
   */
  undeliveredBytes: number;
  /** Bytes appended to the journal before it is rewritten without closed runs. */
  journalAppendMax: number;
  /** Bytes in reserve, released when the disk is full so that ends can still be written. */
  reserveBytes: number;
  /** Bytes of output kept from the beginning and from the end of a run. */
  outputHeadBytes: number;
  outputTailBytes: number;
  /** Bytes of output sent and not yet acknowledged; the pump waits. */
  outputWindowRun: number;
  outputWindowAll: number;
  /** Bytes asked of the keeper at once. */
  outputReadBytes: number;
  /** Bytes in the socket's own buffer; the pump waits. */
  linkBufferMax: number;
  /** Commands acknowledged in one frame. */
  acknowledgedMax: number;
}

export const agentLimits: AgentLimits = {
  runsMax: 1_000,
  preparingMax: 8,
  startingMax: 32,
  preparationDeathsMax: 2,
  endedKeptMax: 10_000,
  endedKeptMs: 24 * 3_600_000,
  undeliveredMs: 7 * 24 * 3_600_000,
  undeliveredBytes: 1024 ** 3,
  journalAppendMax: 8 * 1024 * 1024,
  reserveBytes: 1024 * 1024,
  outputHeadBytes: 1024 * 1024,
  outputTailBytes: 1024 * 1024,
  outputWindowRun: 256 * 1024,
  outputWindowAll: 4 * 1024 * 1024,
  outputReadBytes: 128 * 1024,
  linkBufferMax: 1024 * 1024,
  acknowledgedMax: 1_000,
};

/** Spans, milliseconds. */
export interface AgentSpans {
  /** Base and cap of the full-jitter back-off between dials. */
  redialBaseMs: number;
  redialCapMs: number;
  /** The cap where several centers are configured: a standby takes over within seconds. */
  redialSeveralCapMs: number;
  /** From dialling to the center's welcome; then the next center is tried. */
  welcomeMs: number;
  /** Between attempts to open a keeper, to write a failed journal, to check a full socket again. */
  keeperRetryMs: number;
  journalRetryMs: number;
  bufferRetryMs: number;
  /** Between two deletions of expired records and output. */
  sweepMs: number;
  /**
   * From the first welcome to the start of runs that an earlier agent process did not start; 0 =
   * none.
   */
  resumeMs: number;
}

export const agentSpans: AgentSpans = {
  redialBaseMs: 1_000,
  redialCapMs: 60_000,
  redialSeveralCapMs: 4_000,
  welcomeMs: 15_000,
  keeperRetryMs: 1_000,
  journalRetryMs: 5_000,
  bufferRetryMs: 100,
  sweepMs: 60_000,
  resumeMs: 500,
};
