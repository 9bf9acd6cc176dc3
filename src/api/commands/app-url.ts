/**
 * Checks the text of an app's URL. The agent checks again the addresses of the name and every
 * redirect.
 */

import type { Config } from '../../config/types.ts';
import { Problem } from '../../http/errors.ts';
import { type Misfit, misfitOf } from '../../lib/host-policy.ts';
import { redactField } from '../../security/secrets.ts';

export type AppRulesConfig = Pick<Config, 'artifactHosts' | 'fileUrls'>;

/** Throws Problem naming `field`. */
export function checkAppUrl(url: string, { artifactHosts, fileUrls }: AppRulesConfig, field: string): void {
  const must: Record<Misfit, string> = {
    scheme: fileUrls ? 'an http, https or file URL' : 'an http or https URL',
    filesOff: 'an http or https URL: files of the hosts are allowed only with TROUPE_FILE_URLS=on',
    fileHost: 'a path on the host that runs the app: file:///path/to/app.tar.gz',
    forbidden: 'an address that is neither link-local nor a metadata service of a cloud',
    notListed: `on one of the hosts ${artifactHosts?.join(', ')}`,
  };
  const misfit = URL.canParse(url) ? misfitOf(new URL(url), { fileUrls, hosts: artifactHosts }) : 'scheme';
  if (misfit === undefined) return;
  // The message must not contain credentials.
  const shown = String(redactField('url', url)).slice(0, 200);
  throw new Problem('invalid', `${field} is ${JSON.stringify(shown)}, but must be ${must[misfit]}.`, { field });
}
