/**
 * Makes a UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix time in milliseconds, the rest chance.
 * `crypto.randomUUID` exists in secure contexts only, `getRandomValues` everywhere.
 * @param nowMs the wall clock
 * @param random 16 bytes of chance; they are overwritten
 */
export function uuidV7(nowMs: number, random: Uint8Array): string {
  for (let i = 0; i < 6; i += 1) random[i] = Math.floor(nowMs / 256 ** (5 - i)) % 256;
  random[6] = (random[6]! & 0x0f) | 0x70;
  random[8] = (random[8]! & 0x3f) | 0x80;
  const hex = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/**
 * A hash of 32 bits that is even and quick, and no secret: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo), then the finaliser
 * of MurmurHash3 (A. Appleby), without which names that differ at their end alone would lie close together.
 */
export function hash32(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 2246822507);
  hash = Math.imul(hash ^ (hash >>> 13), 3266489909);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Whether a completion is in the sample: the same answer on every page and in every session. */
export function isSampled(completionId: string, rate: number): boolean {
  return hash32(completionId) / 2 ** 32 < rate;
}
