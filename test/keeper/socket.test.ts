/** Numbers on the socket between agent and keeper have a range, in both directions. */
import { describe, expect, test } from 'bun:test';
import { parseAgentFrame, parseKeeperFrame } from '../../src/protocol/keeper.ts';

const BEYOND = ['-1', '1.5', '1e308', '9007199254740993', '8640000000000000'];
const request = (timeoutMs: string) =>
  `{"id":1,"method":"start","request":{"run":"e:0:1","argv":["true"],"cwd":"/","env":{},"timeoutMs":${timeoutMs},"killGraceMs":0,"headBytes":1,"tailBytes":1}}`;
const event = (startedAt: string) =>
  `{"event":{"type":"changed","run":{"run":"e:0:1","state":"running","pid":7,"startedAt":${startedAt}}}}`;

describe('a frame', () => {
  test.each(BEYOND)('a frame of the agent with the number %s is answered with what is wrong', number => {
    expect(parseAgentFrame(request(number))).toMatchObject({ id: 1, problem: expect.any(String) });
    expect(parseAgentFrame(`{"id":1,"method":"stop","run":"e:0:1","graceMs":${number}}`)).toMatchObject({ problem: expect.any(String) });
    expect(parseAgentFrame(`{"id":1,"method":"read","run":"e:0:1","afterSeq":${number},"maxBytes":1}`)).toMatchObject({
      problem: expect.any(String),
    });
  });

  test.each(BEYOND)('a frame of the keeper with the number %s is refused', number => {
    expect(parseKeeperFrame(event(number))).toBeUndefined();
  });

  test.each(['', 'null', '5', '[', '"x"'])('a frame of the keeper that is %j is refused', text => {
    expect(parseKeeperFrame(text)).toBeUndefined();
  });

  test('a frame with numbers in range is read', () => {
    expect(parseAgentFrame(request('1000'))).toMatchObject({ method: 'start' });
    expect(parseKeeperFrame(event('1790000000000'))).toMatchObject({ event: { run: { startedAt: 1_790_000_000_000 } } });
  });
});
