const encoder = /* @__PURE__ */ new TextEncoder();

/** A text in UTF-8. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The length of a text in bytes of UTF-8. */
export function nBytesOf(text: string): number {
  return bytesOf(text).length;
}

/**
 * Writes JSON that the service can store. It refuses U+0000, and half a surrogate pair is not UTF-8: one such character
 * would have the whole batch refused.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, part) => part?.replace?.(/[\0\p{Cs}]/gu, '\ufffd') ?? part);
}

/** The longest beginning of `text` that has at most `nBytes` bytes and ends with a whole character. */
export function cutTo(text: string, nBytes: number): string {
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(nBytes)).read);
}

/** What `redact` hides unless it is told otherwise: e-mail addresses, keys, and numbers of 9 digits and more. */
export const REDACTED: readonly RegExp[] = [
  /[\w.+-]+@[\w.-]+\.\w+/,
  /\b(sk|pk|rk|ghp|xox[bp]|aw_(sec|sig))[-_][\w-]{12,}/,
  /\+?\b(\d[ ().-]{0,2}){8,18}\d\b/,
];

/** Replaces whatever a pattern finds. A pattern without the flag `g` is applied everywhere nonetheless. */
export function redact(text: string, patterns: readonly RegExp[]): string {
  return patterns.reduce(
    (left, pattern) => left.replace(new RegExp(pattern, `${pattern.flags.replace('g', '')}g`), '[redacted]'),
    text,
  );
}
