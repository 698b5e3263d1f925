import { createBudget } from './backoff.ts';
import { PREFIX, type Store } from './storage.ts';
import { nBytesOf } from './text.ts';
import type { Reply } from './verdict.ts';

/** Which storage holds what waits. */
export type StorageKind = 'local' | 'session' | 'memory';

/** A page that comes and goes. */
export interface PageEvents {
  /** It was hidden, or is being left: what was captured goes out now. */
  hide(): void;
  /** It is being left, perhaps for good. */
  leavePage(): void;
  /** It is shown again, or is online again. */
  show(): void;
  /** It came back from the cache of pages: other pages may have used its names meanwhile. */
  comeBack(): void;
  /** Another tab wrote or removed a name in the shared storage. */
  stored(key: string | null, text: string | null): void;
}

/** All that the client needs of the world: time, chance, storage, tabs, the wire. Tests bring their own. */
export interface Platform {
  nowMs(): number;
  monoMs(): number;
  random(): number;
  randomBytes(): Uint8Array;
  afterMs(ms: number, run: () => void): () => void;
  isHidden(): boolean;
  isOnline(): boolean;
  hasGpc(): boolean;
  /** A storage that works, or undefined. */
  storeOf(kind: StorageKind): Store | undefined;
  /** Holds a name until it is let go; undefined where there are no Web Locks. */
  holdName: ((name: string) => () => void) | undefined;
  /** Runs `run` while nobody else holds the name, if that is so now. */
  ifFree: ((name: string, run: () => void) => void) | undefined;
  watchPage(events: PageEvents): () => void;
  /** Sends a body. Rejects where nobody knows whether it arrived. */
  postBody(url: string, body: string, isExit: boolean): Promise<Reply>;
}

/** Time after which an answer is no longer waited for. */
const REPLY_DEADLINE_MS = 30_000;

// One for the page: browsers count the bytes of all its requests together, whichever client sends them.
const budget = /* @__PURE__ */ createBudget();

function openStore(kind: StorageKind): Store | undefined {
  try {
    // The mere access throws where storage is switched off; there is no such thing for memory, which throws here, too.
    const storage = (window as unknown as Record<string, Storage>)[`${kind}Storage`]!;
    storage.setItem(PREFIX, '');
    storage.removeItem(PREFIX);
    return storage;
  } catch {
    return undefined;
  }
}

function watch(events: PageEvents): () => void {
  const end = new AbortController();
  const listen = (target: EventTarget, type: string, run: (event: never) => void): void =>
    target.addEventListener(type, run as (event: Event) => void, { capture: true, signal: end.signal });
  listen(document, 'visibilitychange', () => (isHidden() ? events.hide() : events.show()));
  listen(window, 'pagehide', () => {
    events.hide();
    events.leavePage();
  });
  listen(window, 'pageshow', ({ persisted }: PageTransitionEvent) => persisted && events.comeBack());
  listen(window, 'online', events.show);
  listen(window, 'storage', ({ key, newValue }: StorageEvent) => events.stored(key, newValue));
  return () => end.abort();
}

const isHidden = (): boolean => document.visibilityState === 'hidden';

async function post(send: typeof fetch, url: string, body: string, isExit: boolean): Promise<Reply> {
  // A beacon tells nothing of what became of it: the items stay stored and are sent again, which the service knows.
  const beacon = (): unknown => navigator.sendBeacon?.(url, body);
  if (isExit && !('keepalive' in Request.prototype)) throw beacon();
  const nBytes = nBytesOf(body);
  const keepalive = budget.take(nBytes);
  try {
    // A text/plain body without credentials needs no preflight, for which there is no time at the exit. A string is
    // such a body by itself.
    const request = {
      method: 'POST',
      body,
      keepalive,
      credentials: 'omit',
      referrerPolicy: 'strict-origin',
      // Absent in old browsers, where a request ends when the browser says so.
      signal: AbortSignal.timeout?.(REPLY_DEADLINE_MS) ?? null,
    } as const;
    let answer: Promise<Response>;
    try {
      answer = send(url, request);
    } catch (error) {
      beacon();
      throw error;
    }
    const response = await answer;
    // Read to its end even where nobody cares: the bytes count against the page's keepalive quota until then.
    return { status: response.status, text: await response.text(), retryAfter: response.headers.get('Retry-After') };
  } finally {
    if (keepalive) budget.give(nBytes);
  }
}

/** The browser that the script runs in; undefined outside of one. */
export function browserPlatform(send: typeof fetch | undefined): Platform | undefined {
  if (typeof document === 'undefined') return undefined;
  // Absent on pages of plain HTTP.
  const locks = navigator.locks as LockManager | undefined;
  return {
    nowMs: Date.now,
    monoMs: () => performance.now(),
    random: Math.random,
    randomBytes: () => crypto.getRandomValues(new Uint8Array(16)),
    afterMs(ms, run) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    isHidden,
    isOnline: () => navigator.onLine !== false,
    hasGpc: () => !!(navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl,
    storeOf: openStore,
    holdName:
      locks &&
      ((name) => {
        let release!: () => void;
        // Let go before it was granted, it is granted for no time.
        const held = new Promise<void>((resolve) => (release = resolve));
        locks.request(name, () => held).catch(() => {});
        return release;
      }),
    ifFree:
      locks &&
      ((name, run) => {
        locks.request(name, { ifAvailable: true }, (lock) => lock && run()).catch(() => {});
      }),
    watchPage: watch,
    // Looked up at each call: monitoring tools replace `fetch` after we were loaded.
    postBody: (url, body, isExit) => post(send ?? ((input, init) => fetch(input, init)), url, body, isExit),
  };
}
