/** The notification service, loaded with the first notification: most starts have none to send. */
import type { NotificationService } from './index.ts';

export function lateNotifications(make: () => Promise<NotificationService>): NotificationService {
  let made: Promise<NotificationService> | undefined;
  let isStopped = false;
  const service = (): Promise<NotificationService> => {
    made ??= make();
    return made;
  };
  return {
    readOutput: async order => (isStopped ? undefined : (await service()).readOutput(order)),
    send: async order => (isStopped ? null : (await service()).send(order)),
    stop() {
      isStopped = true;
      void made?.then(own => own.stop());
    },
  };
}
