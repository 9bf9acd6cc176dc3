/** Checks a URL of an app by the rules of `host-policy.ts`. */
import { type AppRules, hostOf, misfitOf } from '../../lib/host-policy.ts';
import { ArtifactError } from '../ports.ts';

/** The rules of the center and of this host. Both must allow a URL. */
export interface HostRules {
  center: AppRules;
  /** undefined: any. */
  own: string[] | undefined;
}

/**
 * Throws ArtifactError unless an app may come from `url`. A file is allowed as the requested URL
 * only, never by a redirect.
 */
export function checkUrl(url: URL, rules: HostRules, hop: number): void {
  const no = (code: ArtifactError['code'], message: string) => new ArtifactError(code, message, { transient: false });
  const misfit =
    misfitOf(url, rules.center) ?? misfitOf(url, { fileUrls: true, hosts: rules.own?.map(host => host.toLowerCase()) ?? null });
  if (url.protocol === 'file:' && hop > 0) throw no('unsupported', 'an app host redirects to a file of this host, which is never followed');
  switch (misfit) {
    case 'scheme':
      throw no('unsupported', `apps come from http or https addresses, not ${url.protocol}`);
    case 'filesOff':
      throw no('unsupported', `the url ${url.href} is a file of this host, and the center does not allow that (TROUPE_FILE_URLS is off)`);
    case 'fileHost':
      throw no('unsupported', `${url.href} names another host: a file: address is file:///path`);
    case 'forbidden':
      throw forbidden(url.host, hostOf(url));
    case 'notListed':
      throw no('address', `the app host ${url.host} is not on the list of allowed ones (TROUPE_ARTIFACT_HOSTS)`);
  }
}

export const forbidden = (host: string, address: string): ArtifactError =>
  new ArtifactError('address', `the app host ${host} is at ${address}, a link-local or metadata address, which is never allowed`, {
    transient: false,
  });
