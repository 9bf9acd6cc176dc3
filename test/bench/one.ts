/** One bench in this process; its results go to the parent. */
import { BENCHES } from './benches.ts';

const [name = '', ...flags] = process.argv.slice(2);
const minutes = flags.find(flag => flag.startsWith('--minutes='));
const file = await BENCHES[name]?.();
if (!file) throw new Error(`there is no bench "${name}"`);
const result = await file.bench({
  quick: flags.includes('--quick'),
  ...(minutes === undefined ? {} : { minutes: Number(minutes.slice('--minutes='.length)) }),
});
process.send?.(Array.isArray(result) ? result : [result]);
// What a bench has left open must not keep the next one waiting.
process.disconnect?.();
process.exit(0);
