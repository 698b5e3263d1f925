/** The longest wait that a `Retry-After` can ask for. */
const MAX_RETRY_AFTER_MS = 300_000;

/**
 * How long to wait before attempt `nFailures + 1`: equal jitter, half of an exponential wait and a random share of the
 * other half, 1 s to 120 s (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 * @param random a number in 0..1
 */
export function backoffMs(nFailures: number, random: number): number {
  return (Math.min(120_000, 1000 * 2 ** nFailures) / 2) * (1 + random);
}

/** Reads `Retry-After`, seconds or a date (RFC 9110, section 10.2.3); undefined where it is neither. */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  const waitS = Number.parseFloat(value!);
  const waitMs = waitS >= 0 ? waitS * 1000 : Date.parse(value!) - nowMs;
  return waitMs >= 0 ? Math.min(waitMs, MAX_RETRY_AFTER_MS) : undefined;
}
