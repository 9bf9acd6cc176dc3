/** Failed and missing responses as a Failure with its exit code. */
import { EXIT, type Exit, Failure } from './failure.ts';

/** Time limit of a response, ms; of a stream only until it begins. */
export const RESPONSE_MS = 60_000;

const EXIT_OF: Record<number, Exit> = {
  400: EXIT.usage,
  413: EXIT.usage,
  415: EXIT.usage,
  401: EXIT.refused,
  403: EXIT.refused,
  409: EXIT.refused,
  416: EXIT.usage,
  421: EXIT.refused,
  429: EXIT.refused,
  503: EXIT.unreachable,
};

/** The failure that a response of the center means. */
export async function failureOf(response: Response, url: string): Promise<Failure> {
  const text = await response.text().catch(() => '');
  const exit = EXIT_OF[response.status] ?? EXIT.failed;
  const { code, message, field } = errorIn(text);
  if (response.status === 401)
    return new Failure(exit, `${url} does not accept your token; "troupe login" gets one, or set TROUPE_API_TOKEN`, {
      code: 'unauthorized',
    });
  if (!message) return new Failure(exit, `${url} answered ${response.status} without a reason`, { code: 'failed' });
  return new Failure(exit, field && !message.includes(field) ? `${field}: ${message}` : message, { code: code ?? 'failed', field });
}

/**
 * The error in a body, also of the Cloudtask surface, which has a sentence alone. Empty where it is
 * not the center's, for example a page of a proxy.
 */
export function errorIn(text: string): { code?: string; message?: string; field?: string } {
  try {
    const body = JSON.parse(text) as { error?: string | { code?: string; message?: string; field?: string } } | null;
    if (typeof body?.error === 'string') return { message: body.error };
    return typeof body?.error === 'object' && body.error !== null ? body.error : {};
  } catch {
    return {};
  }
}

/** A request had no response; stopped where `signal` ended it. */
export function unreachable(url: string, error: unknown, signal: AbortSignal): Failure {
  if (signal.aborted) return new Failure(EXIT.failed, `stopped by ${String(signal.reason)}`, { code: 'stopped', cause: error });
  const why =
    error instanceof Error && error.name === 'TimeoutError' ? `no answer within ${RESPONSE_MS / 1000} s` : 'no server answers there';
  return new Failure(EXIT.unreachable, `the center at ${url} cannot be reached: ${why}; TROUPE_URL or --center names another`, {
    cause: error,
  });
}
