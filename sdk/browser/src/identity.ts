import { hash32 } from './id.ts';
import type { AfterwordOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import type { Platform } from './platform.ts';
import { claimsOf, endOf, type TokenSource } from './token.ts';

/** Most completions that a token is asked for by name. */
const MAX_WANTED = 100;

/** Whose reactions are recorded, and what proves it. */
export interface Identity {
  /**
   * The token in hand or a new one; the outbox turns to its subject. Callers at the same time share one question.
   * Rejects as the host's callback does.
   */
  askToken(): Promise<string>;
  /** The token in hand, if it lives; at the exit there is no time to ask for another. */
  inHand(): string | undefined;
  /** Forgets the token in hand. Returns whether another one can be had. */
  disown(): boolean;
  /** The user's name, where no token carries it. */
  owner(): string | undefined;
  takeSource(source: TokenSource): void;
  /** Forgets the user. */
  forgetUser(): void;
}

/** A source of tokens, with what it brought. */
interface Credential {
  tokenSource: TokenSource;
  shown?: string | undefined;
  endsMs?: number;
  asking?: Promise<string> | undefined;
}

/** Knows nobody until it has a token. */
export function createIdentity({ user }: AfterwordOptions, platform: Platform, url: string, outbox: Outbox): Identity {
  let held: Credential;

  // The colon ends the name, so that no subject's is the beginning of another one's.
  const nameOf = (owner: unknown): string => `${hash32(`${url} ${owner}`).toString(36)}:`;
  const subjectOf = (token: string): string => nameOf(claimsOf(token).sub ?? [token, user]);
  const isFixed = (): boolean => typeof held.tokenSource === 'string';
  /** The subject, as far as it is known without a question. */
  const known = (): string | undefined => (isFixed() ? subjectOf(held.shown!) : user && nameOf(user));
  const inHand = (): string | undefined => (platform.monoMs() >= held.endsMs! ? undefined : held.shown);
  const ask = async (mine: Credential): Promise<string> => {
    const completionIds = [...new Set(outbox.entriesNow().map(({ captured }) => captured.completion_id))];
    const source = mine.tokenSource as Exclude<TokenSource, string>;
    try {
      const answer = await source({ completionIds: completionIds.slice(0, MAX_WANTED) });
      mine.shown = (answer as { token?: string }).token ?? (answer as string);
      mine.endsMs = endOf(mine.shown, platform.monoMs());
      return mine.shown;
    } finally {
      mine.asking = undefined;
    }
  };
  const askToken = async (): Promise<string> => {
    const mine = held;
    const token = inHand() ?? (await (mine.asking ??= ask(mine)));
    // The host named another source meanwhile: what is captured by now is not this token's subject's.
    if (mine !== held) return askToken();
    outbox.turnTo(subjectOf(token));
    return token;
  };
  const disown = (): boolean => {
    if (!isFixed()) held.shown = undefined;
    return !isFixed();
  };

  return {
    askToken,
    inHand,
    disown,
    owner: () => (isFixed() && !claimsOf(held.shown!).sub ? user : undefined),
    takeSource(source) {
      held = { tokenSource: source, shown: typeof source === 'string' ? source : undefined };
      outbox.turnTo(known());
    },
    forgetUser() {
      user = undefined;
      disown();
      outbox.turnTo(known() ?? '');
    },
  };
}
