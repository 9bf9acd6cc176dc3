/** Only ports are fake: all decisions are the product's own code. */
import { describe, expect, test } from 'bun:test';
import { Glob } from 'bun';

const here = new URL('.', import.meta.url).pathname;

/** What a value is imported from, for each file of the simulation that is no test. */
async function imports(): Promise<Map<string, { names: string; from: string }[]>> {
  const found = new Map<string, { names: string; from: string }[]>();
  for await (const file of new Glob('*.ts').scan(here)) {
    if (file.endsWith('.test.ts')) continue;
    const text = await Bun.file(`${here}${file}`).text();
    const lines = [...text.matchAll(/^import (?!type )(.+) from '(\.\.\/\.\.\/[^']+)';$/gm)];
    found.set(
      file,
      lines.map(([, names = '', from = '']) => ({ names, from })),
    );
  }
  return found;
}

const product = async () => [...(await imports()).values()].flat();

describe('the simulation', () => {
  test('the simulation runs the runtime, the hub, the agents and the keepers of the product', async () => {
    const from = (await product()).map(one => one.from.replace('../../src/', ''));
    for (const file of [
      'runtime/create.ts',
      'runtime/views.ts',
      'gateway/index.ts',
      'agent/agent.ts',
      'keeper/core.ts',
      'store/memory/index.ts',
    ]) {
      expect(from).toContain(file);
    }
  });

  test('the simulation has fakes that import nothing of the product but types and the errors of a port', async () => {
    const all = await imports();
    const fakes = ['time.ts', 'random.ts', 'network.ts', 'disk.ts', 'processes.ts', 'script.ts', 'system.ts', 'faults.ts', 'mail.ts'];
    for (const fake of fakes) expect({ fake, imports: all.get(fake) }).toEqual({ fake, imports: [] });
    expect(all.get('job-files.ts')?.map(one => one.from)).toEqual(['../../src/agent/ports.ts']);
    expect(all.get('truth.ts')?.map(one => one.from)).toEqual(['../../src/store/memory/index.ts', '../../src/store/port.ts']);
  });

  test('the simulation reaches no clock, no random numbers and no machine of its own', async () => {
    for await (const file of new Glob('*.ts').scan(here)) {
      if (file === 'simulate.ts' || file.endsWith('.test.ts')) continue;
      const text = await Bun.file(`${here}${file}`).text();
      expect({
        file,
        uses: text.match(/\b(Date\.now|Math\.random|setTimeout|setInterval|setImmediate|performance\.now|createMachine)\b/g),
      }).toEqual({
        file,
        uses: null,
      });
    }
  });
});
