/** Flags and arguments of a verb. */
import { describe, expect, test } from 'bun:test';
import { Failure } from '../../src/cli/failure.ts';
import { choiceOption, flagOption, number, pairs, parseOptions, textOption, texts, wholeOption } from '../../src/cli/options.ts';

const options = {
  name: textOption('NAME', 'what it is called'),
  follow: flagOption('go on', { short: 'f' }),
  partial: flagOption('some are enough', { negatable: true }),
  count: wholeOption('N', 'how many', 1, 10),
  cpus: number('N', 'of a host'),
  cron: texts('EXPRESSION', 'when'),
  env: pairs('NAME=VALUE', 'environment'),
  overlap: choiceOption(['skip', 'queue'], 'when it runs already'),
};

const now = Date.parse('2026-11-22T08:30:00.000Z');
const parse = (args: string[], of: typeof options) => parseOptions(args, of, { now });

const complaint = (...args: string[]): string => {
  try {
    parse(args, options);
  } catch (error) {
    if (error instanceof Failure && error.exit === 2) return error.message;
    throw error;
  }
  return 'none';
};

describe('arguments of a verb', () => {
  test('arguments of a verb are read by their declaration, in any order', () => {
    const { values, words, rest } = parse(['a', '--name', 'x y', '-f', 'b', '--count=3', '--cpus', '-0.5'], options);
    expect(words).toEqual(['a', 'b']);
    expect(values).toEqual({ name: 'x y', follow: true, count: 3, cpus: -0.5 } as typeof values);
    expect(rest).toBeUndefined();
  });

  test('arguments of a verb may repeat a flag that takes several values', () => {
    const { values } = parse(['--cron', '0 0 8 * * ?', '--cron=0 0 20 * * ?', '--env', 'A=1=2', '--env', 'B='], options);
    expect(values.cron).toEqual(['0 0 8 * * ?', '0 0 20 * * ?']);
    expect(values.env).toEqual({ A: '1=2', B: '' });
  });

  test('arguments of a verb behind -- are left as they are', () => {
    expect(parse(['job', '--', 'sh', '-c', '--name', '--', 'x'], options).rest).toEqual(['sh', '-c', '--name', '--', 'x']);
    expect(parse(['job', '--'], options).rest).toEqual([]);
  });

  test('arguments of a verb can negate a flag that has an opposite', () => {
    expect(parse(['--no-partial'], options).values.partial).toBe(false);
    expect(parse(['--partial'], options).values.partial).toBe(true);
    expect(parse(['--no-partial', 'job'], options).words).toEqual(['job']);
    expect(complaint('--no-partial=true')).toContain('there is no --no-partial here');
    expect(complaint('--no-follow')).toContain('there is no --no-follow here');
  });

  test('arguments of a verb give a value that begins with a dash only behind an equals sign', () => {
    expect(parse(['--name=--follow'], options).values.name).toBe('--follow');
    expect(complaint('--name', '--follow')).toBe('--name needs a value: --name NAME');
    expect(complaint('--name')).toBe('--name needs a value: --name NAME');
  });

  test.each([
    [['--nme', 'x'], 'there is no --nme here; did you mean --name?'],
    [['--naem', 'x'], 'there is no --naem here; did you mean --name?'],
    [['--zzzzzzzz'], 'there is no --zzzzzzzz here; --help lists the flags'],
    [['--toString'], 'there is no --toString here; --help lists the flags'],
    [['--count', '0'], '--count is "0", but must be a whole number from 1 to 10'],
    [['--count', '1.5'], '--count is "1.5", but must be a whole number from 1 to 10'],
    [['--cpus', 'many'], '--cpus is "many", but must be a number'],
    [['--env', 'A'], '--env must be NAME=VALUE, a name and a value with "=" between them'],
    [['--overlap', 'skop'], '--overlap is "skop", but must be one of skip, queue; did you mean skip?'],
    [['--follow=maybe'], '--follow is "maybe", but must be true or false, or nothing'],
    [['--name', 'a', '--name', 'b'], '--name is given 2 times, but may be given once'],
  ])('the arguments %p of a verb: %s', (args, sentence) => {
    expect(complaint(...args)).toBe(sentence);
  });
});
