/** Flags of a command line as tokens. */
import { describe, expect, test } from 'bun:test';
import { type FlagSpec, readFlags } from '../../src/lib/flags.ts';

const specs: Record<string, FlagSpec> = {
  data: { takes: true },
  cpus: { takes: true, short: 'c' },
  follow: { takes: false, short: 'f' },
  standby: { takes: ['on', 'off'] },
};
const read = (...args: string[]) => readFlags(args, specs);
const flag = (name: string, value?: string) => ({ kind: 'flag' as const, name, value });
const word = (text: string) => ({ kind: 'word' as const, text });

describe('flags', () => {
  test('flags take a value behind "=" or as the next word, by name or letter', () => {
    expect(read('--data', 'a b', '--cpus=2', '-c', '3', '-c4').tokens).toEqual([
      flag('data', 'a b'),
      flag('cpus', '2'),
      flag('cpus', '3'),
      flag('cpus', '4'),
    ]);
    expect(read('--data=', '--data=--x', '--cpus', '-1').tokens).toEqual([flag('data', ''), flag('data', '--x'), flag('cpus', '-1')]);
  });

  test('flags without a value leave the next word alone', () => {
    expect(read('--follow', 'job', '-f', '-').tokens).toEqual([flag('follow'), word('job'), flag('follow'), word('-')]);
  });

  test('flags with optional words take the next word only where it is one of them', () => {
    expect(read('--standby', 'off', '--standby', 'x', '--standby=y').tokens).toEqual([
      flag('standby', 'off'),
      flag('standby'),
      word('x'),
      flag('standby', 'y'),
    ]);
  });

  test('flags without their value do not swallow the next flag', () => {
    expect(read('--data', '--cpus', '2', '--data').tokens).toEqual([
      { kind: 'valueMissing', name: 'data' },
      flag('cpus', '2'),
      { kind: 'valueMissing', name: 'data' },
    ]);
    expect(readFlags(['--data', '-f'], specs, { flagLike: /^-\D/ }).tokens).toEqual([
      { kind: 'valueMissing', name: 'data' },
      flag('follow'),
    ]);
  });

  test('flags that are unknown are named as they were written, without the word behind them', () => {
    expect(read('--dta', 'x', '--centre=y', '--follow', '-z', 'word', '--constructor').tokens).toEqual([
      { kind: 'unknown', name: 'dta', written: '--dta', value: undefined },
      { kind: 'unknown', name: 'centre', written: '--centre', value: 'y' },
      flag('follow'),
      { kind: 'unknown', name: 'z', written: '-z', value: undefined },
      word('word'),
      { kind: 'unknown', name: 'constructor', written: '--constructor', value: undefined },
    ]);
  });

  test('flags end at "--"; everything behind it is passed on as it is', () => {
    expect(read('a', '--', '--data', '--', 'x')).toEqual({ tokens: [word('a')], rest: ['--data', '--', 'x'] });
    expect(read('--data', '--follow', '--', '-f').rest).toEqual(['-f']);
    expect(read('--').rest).toEqual([]);
    expect(read('a').rest).toBeUndefined();
  });
});
