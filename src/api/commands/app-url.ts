/**
 * Checks the URL of an app. The agent checks again the addresses of the name and every
 * redirect.
 */

import type { Config } from '../../config/types.ts';
import { Problem } from '../../http/errors.ts';
import { type Misfit, misfitOf } from '../../lib/host-policy.ts';
import { redactField } from '../../security/secrets.ts';
import type { FileService } from '../../services/files/index.ts';
import { centerFileOf } from '../../services/files/named.ts';

export type AppRulesConfig = Pick<Config, 'artifactHosts' | 'fileUrls'>;

/** Throws Problem naming `field`. */
export function checkAppUrl(url: string, { artifactHosts, fileUrls }: AppRulesConfig, field: string): void {
  const must: Record<Misfit, string> = {
    scheme: `${fileUrls ? 'an http, https or file URL' : 'an http or https URL'}, or troupe:files/<sha256> of a file of this center`,
    filesOff: 'an http or https URL: files of the hosts are allowed only with TROUPE_FILE_URLS=on',
    fileHost: 'a path on the host that runs the app: file:///path/to/app.tar.gz',
    forbidden: 'an address that is neither link-local nor a metadata service of a cloud',
    notListed: `on one of the hosts ${artifactHosts?.join(', ')}`,
  };
  if (centerFileOf(url) !== undefined) return;
  const misfit = URL.canParse(url) ? misfitOf(new URL(url), { fileUrls, hosts: artifactHosts }) : 'scheme';
  if (misfit === undefined) return;
  // The message must not contain credentials.
  const shown = String(redactField('url', url)).slice(0, 200);
  throw new Problem('invalid', `${field} is ${JSON.stringify(shown)}, but must be ${must[misfit]}.`, { field });
}

/**
 * Throws Problem naming `field` where the URL names a content that the center does not have, and
 * naming `sha256` where that is another one.
 */
export async function checkCenterFile(
  files: Pick<FileService, 'stat'>,
  { url, sha256 }: { url: string; sha256?: string | null },
  field: string,
): Promise<void> {
  const digest = centerFileOf(url);
  if (digest === undefined) return;
  if (sha256 && sha256 !== digest)
    throw new Problem('invalid', `sha256 is "${sha256}", but must be that of ${field}, or null.`, { field: 'sha256' });
  if (await files.stat(digest)) return;
  throw new Problem('invalid', `${field} is "${url}", but no file of this content is stored; upload it first.`, { field });
}
