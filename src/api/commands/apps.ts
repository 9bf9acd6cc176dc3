/**
 * Commands to apps, the same for every API. URL and command line are checked here; the machine of
 * the app accepts or refuses the command.
 */
import type { AppConfig } from '../../../actors/app/types.ts';
import type { View } from '../../runtime/document.ts';
import { centerFileOf } from '../../services/files/named.ts';
import type { Center } from '../route-context.ts';
import { checkAppUrl, checkCenterFile } from './app-url.ts';
import { createOnce } from './create-once.ts';
import { checkCommand } from './job-checks.ts';
import { namingContents } from './job-files.ts';

/** Names that an API gives to the checked fields of an app. */
export interface AppFieldNames {
  url: string;
  command: string;
}

async function checkApp({ config, files }: Center, app: Partial<AppConfig>, fields: AppFieldNames): Promise<void> {
  if (app.url !== undefined) {
    checkAppUrl(app.url, config, fields.url);
    await checkCenterFile(files, { ...app, url: app.url }, fields.url);
  }
  if (app.command !== undefined) checkCommand(app.command, fields.command, { needsProgram: false });
}

/** Stores the app while the content that its URL names cannot be removed. */
function keepingFile(center: Center, url = '', field: string, store: () => Promise<void>): Promise<void> {
  const sha256 = centerFileOf(url);
  return sha256 === undefined ? store() : namingContents(center, [sha256], field, store);
}

/** `enabled`: default true. Throws Problem for an invalid field, Refused for a name in use. */
export async function publishApp(
  center: Center,
  app: AppConfig,
  fields: AppFieldNames,
  { claim, enabled }: { claim: string | undefined; enabled?: boolean },
): Promise<void> {
  await checkApp(center, app, fields);
  const address = `app/${app.name}` as const;
  const command = { type: 'app.publish', config: app, ...(enabled === undefined ? {} : { enabled }) } as const;
  await keepingFile(center, app.url, fields.url, () =>
    createOnce(center, address, claim, claimed => center.runtime.ask(address, { ...command, ...claimed })),
  );
}

/** `enabled`: default unchanged. Throws Problem for an invalid field, and Refused. */
export async function modifyApp(
  center: Center,
  { address }: Pick<View<'app'>, 'address'>,
  changes: Partial<Omit<AppConfig, 'name'>>,
  fields: AppFieldNames,
  enabled?: boolean,
): Promise<void> {
  await checkApp(center, changes, fields);
  await keepingFile(center, changes.url, fields.url, async () => {
    await center.runtime.ask(address, { type: 'app.modify', changes, ...(enabled === undefined ? {} : { enabled }) });
  });
}

/** Its jobs start again. Idempotent. Throws Refused. */
export async function enableApp(center: Center, { address }: Pick<View<'app'>, 'address'>): Promise<void> {
  await center.runtime.ask(address, { type: 'app.enable' });
}

/** Its jobs start nothing new; with `kill` their executions are cancelled. Throws Refused. */
export async function disableApp(center: Center, { address }: Pick<View<'app'>, 'address'>, { kill }: { kill: boolean }): Promise<void> {
  await center.runtime.ask(address, { type: 'app.disable', kill });
}

/** Deregisters its jobs, then deletes the app. Idempotent. */
export async function deleteApp(center: Center, { address }: Pick<View<'app'>, 'address'>): Promise<void> {
  await center.runtime.ask(address, { type: 'app.delete' });
}
