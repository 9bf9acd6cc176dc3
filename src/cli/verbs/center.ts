/** `troupe center`: the control plane alone. */
import { EXIT } from '../failure.ts';
import type { Program } from '../verb.ts';

export const CENTER_FLAGS = `  --listen HOST:PORT,…   TROUPE_LISTEN           addresses to listen on (127.0.0.1:8899,127.0.0.1:8985)
  --data DIR             TROUPE_DATA             data directory (./data)
  --standby              TROUPE_STANDBY          waits while another center serves from the same MongoDB (off)
  --root-password TEXT   TROUPE_ROOT_PASSWORD    password of user root (random, shown at the first start)
  --auth on|off          TROUPE_AUTH             authentication; off only on loopback addresses (on)
  --pool NAME            TROUPE_POOL             pool of jobs that name none (default)
  --time-zone ZONE       TROUPE_TIME_ZONE        time zone of schedules that name none (the system's)
  --log LEVEL,FORMAT     TROUPE_LOG              debug, info, warn, error; json, pretty (info,pretty)
  --json                                         print and log as JSON, like --log json

deploy/settings.md lists all settings.`;

export const center: Program = {
  summary: 'runs a center: HTTP API, runtime, store',
  help: `troupe center [flags]

  Runs until SIGINT or SIGTERM. Every flag is a variable, too. A flag wins over its variable.

${CENTER_FLAGS}`,
  async main(args, shell) {
    const { startHere } = await import('../start.ts');
    const started = await startHere(args, shell);
    if (!started) return EXIT.done;
    const exit = await started.over();
    await started.stop();
    return exit;
  },
};
