import { attempt } from './attempt.ts';
import { PREFIX, type Store } from './storage.ts';
import { nBytesOf } from './text.ts';
import type { Reply } from './verdict.ts';

/** Which storage holds what waits. */
export type StorageKind = 'local' | 'session' | 'memory';

/** A page that comes and goes. */
export interface PageEvents {
  /** It was hidden, or is being left: what was captured goes out now. */
  hidePage(): void;
  /** It is being left, perhaps for good. */
  leavePage(): void;
  /** It is shown again, or is online again. */
  showPage(): void;
  /** It came back from the cache of pages: other pages may have used its names meanwhile. */
  comeBack(): void;
  /** Another tab wrote or removed a name in the shared storage. */
  stored(key: string | null, text: string | null): void;
}

/** All that the client needs of the world: time, chance, storage, tabs, the wire. Tests bring their own. */
export interface Platform {
  nowMs(): number;
  monoMs(): number;
  randomBytes(): Uint8Array;
  /** Runs `run` once, later. Returns something. */
  afterMs(ms: number, run: () => void): unknown;
  isHidden(): boolean;
  isOnline(): boolean;
  hasGpc(): boolean | undefined;
  /** A storage that works, or undefined. */
  storeOf(kind: StorageKind): Store | undefined;
  /** Web Locks; absent on pages of plain HTTP. */
  webLocks: Pick<LockManager, 'request'> | undefined;
  watchPage(events: PageEvents): () => void;
  /** Sends a body. Rejects where nobody knows whether it arrived. */
  postBody(url: string, body: string, isExit?: boolean): Promise<Reply>;
}

/** Time after which an answer is no longer waited for. */
const REPLY_DEADLINE_MS = 30_000;

/** How much may be under way with `keepalive`: browsers refuse more than 64 KiB, and answer slowly to many. */
const MAX_KEEPALIVE_BYTES = 60_000;
const MAX_KEEPALIVE_REQUESTS = 14;
// One count for the page, because browsers add up all its requests, whichever client sends them.
let nFreeBytes = MAX_KEEPALIVE_BYTES;

/** The browser that the script runs in; undefined outside of one. */
export function browserPlatform(send: typeof fetch | undefined): Platform | undefined {
  if (typeof document === 'undefined') return undefined;
  const isHidden = (): boolean => document.hidden;
  return {
    nowMs: Date.now,
    monoMs: () => performance.now(),
    randomBytes: () => crypto.getRandomValues(new Uint8Array(16)),
    afterMs: (ms, run) => setTimeout(run, ms),
    isHidden,
    isOnline: () => navigator.onLine,
    hasGpc: () => (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl,
    storeOf: (kind) =>
      attempt(() => {
        // The mere access throws where storage is switched off; there is no such thing for memory, which throws, too.
        const storage = (window as unknown as Record<string, Storage>)[`${kind}Storage`]!;
        storage.setItem(PREFIX, '');
        storage.removeItem(PREFIX);
        return storage;
      }),
    webLocks: navigator.locks as LockManager | undefined,
    watchPage(events) {
      const end = new AbortController();
      const listen = (target: EventTarget, type: string, run: (event: never) => void): void =>
        target.addEventListener(type, run as (event: Event) => void, { capture: true, signal: end.signal });
      listen(document, 'visibilitychange', () => (isHidden() ? events.hidePage() : events.showPage()));
      listen(window, 'pagehide', () => {
        events.hidePage();
        events.leavePage();
      });
      listen(window, 'pageshow', ({ persisted }: PageTransitionEvent) => persisted && events.comeBack());
      listen(window, 'online', events.showPage);
      listen(window, 'storage', ({ key, newValue }: StorageEvent) => events.stored(key, newValue));
      return () => end.abort();
    },
    async postBody(url, body, isExit) {
      // A beacon tells nothing of what became of it: the items stay stored and are sent again, which the service knows.
      const beacon = (): unknown => navigator.sendBeacon?.(url, body);
      if (isExit && !('keepalive' in Request.prototype)) throw beacon();
      // A small body takes the share of one request, so that there are never too many.
      const nBytes = Math.max(nBytesOf(body), MAX_KEEPALIVE_BYTES / MAX_KEEPALIVE_REQUESTS);
      const keepalive = nBytes <= nFreeBytes;
      const share = keepalive ? nBytes : 0;
      nFreeBytes -= share;
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
          signal: AbortSignal.timeout?.(REPLY_DEADLINE_MS) as AbortSignal,
        } as const;
        let answer: Promise<Response>;
        try {
          // Looked up at each call: monitoring tools replace `fetch` after we were loaded.
          answer = (send ?? fetch)(url, request);
        } catch (error) {
          beacon();
          throw error;
        }
        const response = await answer;
        // Read to its end even where nobody cares: the bytes count against the page's keepalive quota until then.
        return {
          status: response.status,
          text: await response.text(),
          retryAfter: response.headers.get('Retry-After'),
        };
      } finally {
        nFreeBytes += share;
      }
    },
  };
}
