/**
 * The whole of a simulated cluster: three hosts and a center on one store and one network, with a
 * witness at the ports.
 */

import type { MailPort } from '../../src/services/notifications/mail.ts';
import type { Keep } from '../../src/services/retention.ts';
import type { Store } from '../../src/store/port.ts';
import { type CenterParts, createSimulatedCenter, type SimulatedCenter } from './center.ts';
import { createFileCheck } from './check-files.ts';
import { watchMoves } from './check-moves.ts';
import { type CrashPoint, createCrashPoint, type Victims } from './faults.ts';
import { createSimulatedHost, type SimulatedHost } from './host.ts';
import { createHostDirectories } from './job-files.ts';
import { createSimulatedMail, type SimulatedMail } from './mail.ts';
import type { Watcher } from './network.ts';
import { createNetwork, type Network } from './network.ts';
import type { Process } from './processes.ts';
import type { Behaviour } from './script.ts';
import type { SimulatedSystem } from './system.ts';
import type { Program } from './time.ts';
import { createTruth, noTrouble, type StoreTrouble, storeFor, type Truth } from './truth.ts';
import { createWitness, isLive, type Witness } from './witness.ts';

export const HOSTS = ['h1', 'h2', 'h3'] as const;

/** Wraps ports, to show that the product's defence against it is needed. */
export interface Breakage {
  store?(store: Store, system: SimulatedSystem): Store;
  rewrite?: NonNullable<Watcher['rewrite']>;
  mail?(port: MailPort, program: Program): MailPort;
}

export interface Cluster extends Victims {
  system: SimulatedSystem;
  truth: Truth;
  network: Network;
  witness: Witness;
  mail: SimulatedMail;
  trouble: StoreTrouble;
  center: SimulatedCenter;
  centerPoint: CrashPoint;
  hosts: ReadonlyMap<string, { host: SimulatedHost; point: CrashPoint }>;
  /** Center first, agents a little later. */
  start(): void;
}

export function createCluster(parts: {
  system: SimulatedSystem;
  behaviourOf(job: string): Behaviour;
  breakage?: Breakage | undefined;
  keep?: Keep | undefined;
  names?: readonly string[];
  /** Of the center. Default 1. */
  workers?: number;
}): Cluster {
  const { system, behaviourOf, breakage = {}, keep, names = HOSTS, workers = 1 } = parts;
  const truth = createTruth(system);
  const witness = createWitness(system, truth);
  const trouble = noTrouble();
  const mail = createSimulatedMail({ system });
  const centerPoint = createCrashPoint();
  const network = createNetwork(system, {
    sends(host, direction, text) {
      // An agent's sends are no crash points of their own: between two of its calls to disk and
      // keeper nothing of it lasts.
      const call = direction === 'toAgent' ? centerPoint.before('send') : -1;
      if (call !== 0) witness.sends(host, direction, text);
      return call;
    },
    sent(direction, call) {
      if (direction === 'toAgent') centerPoint.after(call);
    },
    arrives: witness.arrives,
    ...(breakage.rewrite ? { rewrite: breakage.rewrite } : {}),
  });
  const watched = watchMoves(system, truth, witness.watch(truth.store));
  const centerParts: CenterParts = {
    system,
    network,
    truth: truth.store,
    workers,
    keep,
    mailFor: program => breakage.mail?.(mail.portOf(program), program) ?? mail.portOf(program),
    storeFor(program) {
      const store = storeFor({ system, store: watched, program, trouble, point: centerPoint });
      return breakage.store ? breakage.store(store, system) : store;
    },
  };
  const center = createSimulatedCenter(centerParts);
  const directories = new Map(
    names.map(name => {
      const liveIn = (path: string) => witness.processes.find(process => process.host === name && process.cwd === path && isLive(process));
      return [name, createHostDirectories(system, name, system.random(`directories ${name}`), liveIn)];
    }),
  );
  const checkFiles = createFileCheck(system, truth, name => directories.get(name));
  const onStart = (process: Process) => {
    witness.starts(process);
    checkFiles(process);
  };
  const hosts = new Map(
    [...directories].map(([name, own]) => {
      const point = createCrashPoint();
      const registry = { all: witness.processes, onStart };
      const host = createSimulatedHost({ system, name, network, registry, behaviourOf, point, directories: own });
      return [name, { host, point }];
    }),
  );
  return {
    ...{ system, time: system.time, truth, network, witness, mail, trouble, center, centerPoint, hosts },
    start() {
      center.start();
      const random = system.random('start');
      for (const { host } of hosts.values()) system.time.after(random.between(20, 400), () => host.startAgent());
    },
  };
}

/**
 * Nothing is under way any more: no execution is open, no effect is pending, nothing runs, no
 * caller waits.
 */
export function isQuiet({ truth, hosts, center }: Cluster): boolean {
  if (!center.isServing) return false;
  for (const { host } of hosts.values()) if (!host.isIdle) return false;
  for (const address of truth.addresses) {
    const document = truth.read(address);
    if (document?.pendingEffects !== '[]') return false;
    if (document.kind === 'execution' && document.index.status !== 'done') return false;
  }
  return true;
}
