import { attempt } from './attempt.ts';

/** What a page shows: a publishable key, or a feedback token, by itself or as the service's answer with it. */
export type Token = string | { token: string };
/**
 * A credential, or who brings one. The callback is told which completions wait, so that the backend can mint a token
 * that names them, after it has checked that they are the user's.
 */
export type TokenSource = string | ((wanted: { completionIds: string[] }) => Promise<Token>);

interface Claims {
  sub?: string;
  iat?: number;
  exp?: number;
}

/** Reads the claims of a feedback token, without its signature, which only the service can check; empty for a key. */
export function claimsOf(token: string): Claims {
  const payload = (): string => atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'));
  // `escape` and `decodeURIComponent` read bytes as UTF-8: every engine has the old function for that.
  return attempt(() => JSON.parse(decodeURIComponent(escape(payload())))) ?? {};
}

/** Time before the end of a token's life from which on it counts as dead. */
const MARGIN_MS = 30_000;

/**
 * When a token that arrived at `nowMs` counts as dead. Its life is counted from its arrival, so that a wrong wall clock
 * neither kills a token nor keeps a dead one; not a number for a token that names no end: nothing is later than that.
 */
export function endOf(token: string, nowMs: number): number {
  const { iat, exp } = claimsOf(token);
  const lifeMs = (exp! - iat!) * 1000;
  // A token that lives for less than a minute is used for half of its life.
  return nowMs + Math.max(lifeMs - MARGIN_MS, lifeMs / 2);
}
