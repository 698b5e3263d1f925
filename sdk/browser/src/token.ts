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
  try {
    const payload = atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(payload, (char) => char.charCodeAt(0))));
  } catch {
    return {};
  }
}

/** A token that is being used. */
export interface Tokens {
  /** The token in hand, if it lives; at the exit there is no time to ask for another. */
  inHand(): string | undefined;
  /** The token in hand or a new one; callers at the same time share one question. Rejects as the callback does. */
  get(): Promise<string>;
  /** Forgets the token in hand. Returns whether another one can be had. */
  expire(): boolean;
}

/** Time before the end of a token's life from which on it counts as dead. */
const MARGIN_MS = 30_000;

/**
 * Holds the token of a source. Its life is counted from its arrival by the monotonic clock, so that a wrong wall clock
 * neither kills a token nor keeps a dead one.
 */
export function createTokens(source: TokenSource, monoMs: () => number, wanted: () => string[]): Tokens {
  const isFixed = typeof source === 'string';
  let token = isFixed ? source : undefined;
  // Not a number for a token that names no end: nothing is later than that.
  let endsMs: number | undefined;
  let asking: Promise<string> | undefined;

  const ask = async (): Promise<string> => {
    const answer = await (source as Exclude<TokenSource, string>)({ completionIds: wanted() });
    token = typeof answer === 'string' ? answer : answer.token;
    const { iat, exp } = claimsOf(token);
    const lifeMs = (exp! - iat!) * 1000;
    // A token that lives for less than a minute is used for half of its life.
    endsMs = monoMs() + Math.max(lifeMs - MARGIN_MS, lifeMs / 2);
    return token;
  };
  const inHand = (): string | undefined => (monoMs() >= endsMs! ? undefined : token);

  return {
    inHand,
    get: async () =>
      inHand() ??
      (asking ??= ask().finally(() => {
        asking = undefined;
      })),
    expire() {
      if (!isFixed) token = undefined;
      return !isFixed;
    },
  };
}
