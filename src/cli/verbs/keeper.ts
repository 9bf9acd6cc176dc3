/** `troupe keeper`: started by an agent, for itself. */
import type { Program } from '../verb.ts';

export const keeper: Program = {
  summary: 'keeps the processes of an agent',
  help: 'troupe keeper --data DIR\n\n  Started by an agent; there is no need to start one by hand.',
  hidden: true,
  async main(args) {
    const { keeperMain } = await import('../../keeper/main.ts');
    return keeperMain(args);
  },
};
