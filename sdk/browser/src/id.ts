import { bytesOf } from './text.ts';

/**
 * Makes a UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix time in milliseconds, 72 of chance.
 * `crypto.randomUUID` exists in secure contexts only, `getRandomValues` everywhere.
 * @param nowMs the wall clock
 * @param random 9 bytes of chance, or more
 */
export function uuidV7(nowMs: number, random: Uint8Array): string {
  const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
  const digits = nowMs.toString(16).padStart(12, '0') + Array.from(random, hex).join('');
  return digits.replace(/(.{8})(.{4})(.{3})(.{3})(.{12}).*/, '$1-$2-7$3-8$4-$5');
}

/**
 * A hash of 32 bits that is even and quick, and no secret: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo), then a round of the
 * finaliser of MurmurHash3 (A. Appleby), without which names that differ at their end alone would lie close together.
 */
export function hash32(text: string): number {
  let hash = 2166136261;
  for (const byte of bytesOf(text)) hash = Math.imul(hash ^ byte, 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 2246822507);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Whether a completion is in the sample: the same answer on every page and in every session. */
export function isSampled(completionId: string, rate: number): boolean {
  return hash32(completionId) / 2 ** 32 < rate;
}
