/** One sentence a line, on the error output: people's lines or JSON. */
import type { Clock } from '../../clock.ts';
import type { Log } from '../log.ts';
import type { AgentConfig } from '../settings.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof LEVELS)[number];

export function createLog(clock: Clock, { level: least, format }: AgentConfig['log'], write: (line: string) => void): Log {
  const say =
    (level: Level) =>
    (sentence: string, fields: Record<string, unknown> = {}) => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
      const at = new Date(clock.now()).toISOString();
      write(
        format === 'json'
          ? `${JSON.stringify({ at, level, message: sentence, ...fields })}\n`
          : `${at} ${level.padEnd(5)} ${sentence}${pairs(fields)}\n`,
      );
    };
  return { info: say('info'), warn: say('warn'), error: say('error') };
}

/** Quoted as JSON where a space or a line break would tear the line. */
function pairs(fields: Record<string, unknown>): string {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  return said
    .map(([name, value]) => ` ${name}=${typeof value === 'string' && /^[\w./:@~+-]+$/.test(value) ? value : JSON.stringify(value)}`)
    .join('');
}
