/** The log: levels, text and JSON. */
import { describe, expect, test } from 'bun:test';
import { createLog } from '../../src/lib/log.ts';
import { createManualClock } from '../support/manual-clock.ts';

describe('the log', () => {
  const written = (level: 'debug' | 'info' | 'warn' | 'error', format: 'json' | 'pretty') => {
    const lines: string[] = [];
    const log = createLog(createManualClock(), { level, format }, line => lines.push(line));
    return { log, lines };
  };

  test('the log writes nothing below its level', () => {
    const { log, lines } = written('info', 'pretty');
    log.debug('a run started');
    log.info('the agent starts');
    expect(lines.length).toBe(1);
    expect(lines[0]).toMatch(/info {2}the agent starts\n$/);
  });

  test('the log writes everything at its lowest', () => {
    const { log, lines } = written('debug', 'json');
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level]('said', { pid: 1, reason: undefined });
    expect(lines.map(line => JSON.parse(line))).toMatchObject(
      ['debug', 'info', 'warn', 'error'].map(level => ({ level, message: 'said', pid: 1 })),
    );
    expect(lines[0]).not.toContain('reason');
  });

  test('the log keeps a sentence on one line', () => {
    const { log, lines } = written('info', 'pretty');
    log.info('it failed', { reason: 'two\nlines', path: '/tmp/x' });
    expect(lines[0]).toEndWith('it failed reason="two\\nlines" path=/tmp/x\n');
    log.warn('an agent was refused: "a\r\n2026-11-22T00:00:00.000Z info  all is well\u001b[2K\u2028"');
    expect(lines[1]).toEndWith('refused: "a\\r\\n2026-11-22T00:00:00.000Z info  all is well\\x1b[2K\\u2028"\n');
  });
});
