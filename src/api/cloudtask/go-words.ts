/** Words of Go for what Node calls otherwise. */

const OS: Record<string, string> = { win32: 'windows', sunos: 'solaris' };
const PLATFORM: Record<string, string> = { x64: 'amd64', ia32: '386' };

/** `windows` for `win32`. */
export const goOs = (os: string): string => OS[os] ?? os;
/** `amd64` for `x64`. */
export const goPlatform = (arch: string): string => PLATFORM[arch] ?? arch;
/** `60s` for 60,000 ms, `1500ms` for 1,500. */
export const goDuration = (ms: number): string => (ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`);
