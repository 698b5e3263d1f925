import { hash32 } from './id.ts';
import type { AfterwordOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import type { Platform } from './platform.ts';
import type { Queue } from './queue.ts';
import { claimsOf, createTokens, type TokenSource, type Tokens } from './token.ts';

/** Most completions that a token is asked for by name. */
const MAX_WANTED = 100;

/** Whose reactions are recorded, and what proves it. */
export interface Identity {
  /** The token in hand or a new one; the outbox turns to its subject. Rejects as the host's callback does. */
  askToken(): Promise<string>;
  /** The token in hand, if it lives. */
  inHand(): string | undefined;
  /** Forgets the token in hand. Returns whether another one can be had. */
  expire(): boolean;
  /** The user's name, where no token carries it. */
  user(): string | undefined;
  setToken(source: TokenSource): void;
  /** Forgets the user. */
  reset(): void;
}

/** Knows nobody until it has a token. */
export function createIdentity(
  { user }: AfterwordOptions,
  platform: Platform,
  url: string,
  queue: Queue,
  outbox: Outbox,
): Identity {
  let fixed: string | undefined;
  let tokens: Tokens;

  const hash = (owner: unknown): string => hash32(`${url} ${owner}`).toString(36);
  const subjectOf = (token: string): string => hash(claimsOf(token).sub ?? [token, user]);
  /** The subject, as far as it is known without a question. */
  const known = (): string | undefined => (fixed ? subjectOf(fixed) : user && hash(user));

  return {
    async askToken() {
      const token = await tokens.get();
      outbox.turnTo(subjectOf(token));
      return token;
    },
    inHand: () => tokens.inHand(),
    expire: () => tokens.expire(),
    user: () => (fixed && !claimsOf(fixed).sub ? user : undefined),
    setToken(source) {
      fixed = typeof source === 'string' ? source : undefined;
      tokens = createTokens(source, platform.monoMs, () =>
        [...new Set(queue.all().map(({ captured }) => captured.completion_id))].slice(0, MAX_WANTED),
      );
      outbox.turnTo(known() ?? outbox.subjectNow());
    },
    reset() {
      user = undefined;
      tokens.expire();
      outbox.turnTo(known());
    },
  };
}
