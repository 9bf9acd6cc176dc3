/** `troupe center`: the control plane alone. */
import { EXIT } from '../failure.ts';
import type { Program } from '../verb.ts';

export const CENTER_FLAGS = `  Every flag is a variable, too, and wins over it.

  --listen HOST:PORT,…   TROUPE_LISTEN           where it listens (127.0.0.1:8899,127.0.0.1:8985)
  --data DIR             TROUPE_DATA             where it keeps everything (./data)
  --standby              TROUPE_STANDBY          waits while another center serves from the same MongoDB (off)
  --root-password TEXT   TROUPE_ROOT_PASSWORD    of user root (drawn and shown at first start)
  --auth on|off          TROUPE_AUTH             off only while it listens on loopback alone (on)
  --pool NAME            TROUPE_POOL             of jobs that name none (default)
  --time-zone ZONE       TROUPE_TIME_ZONE        of schedules that name none (the system's)
  --log LEVEL,FORMAT     TROUPE_LOG              debug, info, warn, error; json, pretty (info,pretty)
  --json                                         say everything as JSON, like --log json

deploy/settings.md lists the rest.`;

export const center: Program = {
  summary: 'runs a center: HTTP API, runtime, store',
  help: `troupe center [flags]

  Runs until SIGINT or SIGTERM.
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
