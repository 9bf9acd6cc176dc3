/** `troupe keeper`: started by an agent, for itself. */
import type { Program } from '../verb.ts';

export const keeper: Program = {
  summary: 'keeps the processes of an agent',
  help: 'troupe keeper --data DIR\n\n  The agent starts it; do not start one by hand.',
  hidden: true,
  async main(args) {
    const { keeperMain } = await import('../../keeper/main.ts');
    return keeperMain(args);
  },
};
