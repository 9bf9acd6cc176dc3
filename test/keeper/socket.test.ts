/** Numbers on the socket between agent and keeper have a range, in both directions. */
import { describe, expect, test } from 'bun:test';
import { parseFromAgent, parseFromKeeper } from '../../src/keeper/socket.ts';

const BEYOND = ['-1', '1.5', '1e308', '9007199254740993', '8640000000000000'];
const order = (timeoutMs: string) =>
  `{"id":1,"ask":"start","order":{"run":"e:0:1","argv":["true"],"cwd":"/","env":{},"timeoutMs":${timeoutMs},"killGraceMs":0,"headBytes":1,"tailBytes":1}}`;
const news = (startedAt: string) => `{"news":{"type":"changed","run":{"run":"e:0:1","state":"running","pid":7,"startedAt":${startedAt}}}}`;

describe('a frame', () => {
  test.each(BEYOND)('of the agent with the number %s is answered with what is wrong', number => {
    expect(parseFromAgent(order(number))).toMatchObject({ id: 1, problem: expect.any(String) });
    expect(parseFromAgent(`{"id":1,"ask":"stop","run":"e:0:1","graceMs":${number}}`)).toMatchObject({ problem: expect.any(String) });
    expect(parseFromAgent(`{"id":1,"ask":"read","run":"e:0:1","afterSeq":${number},"maxBytes":1}`)).toMatchObject({
      problem: expect.any(String),
    });
  });

  test.each(BEYOND)('of the keeper with the number %s is refused', number => {
    expect(parseFromKeeper(news(number))).toBeUndefined();
  });

  test.each(['', 'null', '5', '[', '"x"'])('of the keeper that is %j is refused', text => {
    expect(parseFromKeeper(text)).toBeUndefined();
  });

  test('with numbers in range is read', () => {
    expect(parseFromAgent(order('1000'))).toMatchObject({ ask: 'start' });
    expect(parseFromKeeper(news('1790000000000'))).toMatchObject({ news: { run: { startedAt: 1_790_000_000_000 } } });
  });
});
