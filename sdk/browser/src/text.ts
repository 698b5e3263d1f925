const encoder = /* @__PURE__ */ new TextEncoder();

/** The length of a text in bytes of UTF-8. */
export function nBytesOf(text: string): number {
  return encoder.encode(text).length;
}

/**
 * Makes a text storable: the service refuses U+0000, and JSON with half a surrogate pair is not UTF-8, so that one such
 * character would have the whole batch refused.
 */
export function toStorable(text: string): string {
  return text.replace(/\0/g, '').replace(/\p{Cs}/gu, '\ufffd');
}

/** The longest beginning of `text` that has at most `nBytes` bytes and ends with a whole character. */
export function cutTo(text: string, nBytes: number): string {
  if (text.length * 3 <= nBytes) return text;
  const bytes = encoder.encode(text);
  if (bytes.length <= nBytes) return text;
  let end = nBytes;
  // A byte 10xxxxxx continues a character: the cut moves before the character that it would divide.
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** What `redact` hides unless it is told otherwise: e-mail addresses, keys, and numbers of 9 digits and more. */
export const REDACTED: readonly RegExp[] = [
  /[\w.+-]+@[\w-]+(\.[\w-]+)+/g,
  /\b(sk|pk|rk|ghp|xox[bp]|aw_(sec|sig))[-_][\w-]{12,}/g,
  /\+?\b(\d[ ().-]{0,2}){8,18}\d\b/g,
];

/** Replaces whatever a pattern finds. A pattern without the flag `g` is applied everywhere nonetheless. */
export function redact(text: string, patterns: readonly RegExp[]): string {
  return patterns.reduce(
    (left, pattern) => left.replace(new RegExp(pattern, [...new Set(`${pattern.flags}g`)].join('')), '[redacted]'),
    text,
  );
}
