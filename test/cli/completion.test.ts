/** Completion of the command line in each shell. */
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { completionFor, SHELLS } from '../../src/cli/completion.ts';
import { flagsOfVerb, isFamily, isProgram } from '../../src/cli/verb.ts';
import { VERBS } from '../../src/cli/verbs/index.ts';
import { tempDir } from '../support/temp-dir.ts';
import { aCenter } from './support/center.ts';
import { aShell, troupe } from './support/shell.ts';

/**
 * The offers of bash for the last word of a line. `words`: as bash splits it, where that is not at
 * blanks.
 */
async function offered(line: string, words = line.split(' ')): Promise<string[]> {
  const file = join(tempDir('completion'), 'troupe.bash');
  await Bun.write(file, await completionFor('bash', VERBS));
  const script = `
    troupe() { echo "$3-1 $3-2 $3@20261122T080000.000Z"; }
    source "$1"; shift
    COMP_LINE=$1 COMP_POINT=\${#1}; shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _troupe; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const child = Bun.spawn(['bash', '-c', script, 'bash', file, line, ...words], { stdout: 'pipe', stderr: 'inherit' });
  return (await new Response(child.stdout).text()).split('\n').filter(word => word !== '');
}

describe('the completion', () => {
  test.each([
    ['troupe trig', ['trigger']],
    ['troupe jobs up', ['update']],
    ['troupe --json --center here jobs up', ['update']],
    ['troupe jobs update x --overlap q', ['queue']],
    ['troupe jobs update x --overlap-l', ['--overlap-limit']],
    ['troupe jobs update x --no-part', ['--no-partial']],
    ['troupe trigger ', ['job-1', 'job-2', 'job@20261122T080000.000Z']],
    ['troupe trigger job-2 --fol', ['--follow']],
    ['troupe hosts drain ', ['host-1', 'host-2', 'host@20261122T080000.000Z']],
    ['troupe executions --host host-', ['host-1', 'host-2']],
    ['troupe --center center-', ['center-1', 'center-2']],
    ['troupe jobs create ', []],
    ['troupe jobs --st', ['--status']],
    ['troupe jobs --status q', ['quarantined']],
    ['troupe jobs occurrences x --verdict r', ['ran', 'refused']],
    ['troupe history x --old', ['--oldest-first']],
    ['troupe watch --kinds po', ['pool']],
    ['troupe completion z', ['zsh']],
    [`troupe backup ${import.meta.dirname}/completion.te`, [`${import.meta.dirname}/completion.test.ts`]],
    ['troupe agent --lab', ['--label']],
    ['troupe center --list', ['--listen']],
    ['troupe ready --wait 5s --js', ['--json']],
    ['troupe hosts drain a --wait --dead', ['--deadline']],
    ['troupe kee', []],
  ])('the completion of "%s" is %p', async (line, words) => {
    expect(await offered(line)).toEqual(words);
  });

  test('the completion of an id goes on behind the part that bash keeps', async () => {
    expect(await offered('troupe executions show execution@20', ['troupe', 'executions', 'show', 'execution', '@', '20'])).toEqual([
      '20261122T080000.000Z',
    ]);
    expect(await offered('troupe executions show execution@', ['troupe', 'executions', 'show', 'execution', '@'])).toEqual([
      '@20261122T080000.000Z',
    ]);
  });

  test('the completion has every verb and every flag, for each shell', async () => {
    for (const shell of SHELLS) {
      const script = await completionFor(shell, VERBS);
      for (const [name, entry] of Object.entries(VERBS)) {
        if (isProgram(entry)) continue;
        const verbs = isFamily(entry)
          ? Object.entries(entry.verbs).map(([word, verb]) => [`${name} ${word}`, verb] as const)
          : [[name, entry] as const];
        for (const [name, verb] of verbs) {
          expect(script).toContain(shell === 'fish' ? `'${name}'` : `"${name}"`);
          for (const option of Object.keys(await flagsOfVerb(verb)))
            expect(script).toContain(shell === 'fish' ? `-l ${option} ` : `--${option}`);
        }
      }
    }
  });

  test.each(SHELLS)('the completion is a script that %s reads', async shell => {
    if (Bun.which(shell) === null) return console.warn(`${shell} is not installed here: its completion is not read by it`);
    const file = join(tempDir('completion'), `troupe.${shell}`);
    await Bun.write(file, await completionFor(shell, VERBS));
    const child = Bun.spawn([shell, '-n', file], { stderr: 'pipe' });
    expect([await new Response(child.stderr).text(), await child.exited]).toEqual(['', 0]);
  });

  test('the completion asks the center for names', async () => {
    const center = aCenter({
      'GET /v1/executions': { items: [{ id: 'a@1' }, { id: 'b@1' }], next: null },
      'GET /v1/tokens': { items: [{ name: 'ci' }] },
    });
    const env = { TROUPE_URL: center.url };
    expect((await troupe('completion --names execution', aShell({ env }))).out).toBe('a@1\nb@1\n');
    expect((await troupe('completion --names token', aShell({ env }))).out).toBe('ci\n');
    expect((await troupe('completion csh')).notices).toEqual(['troupe: "csh" is not a supported shell: troupe completion bash|zsh|fish']);
    expect((await troupe('completion')).exit).toBe(2);
    await center.stop();
  });
});
