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
 * A hash of 32 bits that is even and quick, and no secret: as FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo), but with Knuth's
 * factor near 2³² divided by the golden ratio, which spreads names that differ at their end alone.
 */
export function hash32(text: string): number {
  let hash = 0;
  for (const byte of bytesOf(text)) hash = Math.imul(hash ^ byte, 2654435761);
  return hash >>> 0;
}
