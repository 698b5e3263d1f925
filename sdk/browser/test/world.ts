// A world for the client: a clock, one origin's storage and locks, tabs that die, and a service behind a bad network.
import { createClient } from '../src/client.ts';
import type { Item } from '../src/feedback.ts';
import type { Afterword, AfterwordOptions, Drop } from '../src/options.ts';
import type { PageEvents, Platform } from '../src/platform.ts';
import type { Store } from '../src/storage.ts';
import type { Reply } from '../src/verdict.ts';

export type Fault = 'ok' | '500' | '429' | '413' | 'lost_before' | 'lost_after' | 'reject_first' | 'portal';

/** A storage whose names are its own keys, as a browser's are. */
export class FakeStorage {
  getItem(key: string): string | null {
    return Object.hasOwn(this, key) ? (this as unknown as Record<string, string>)[key]! : null;
  }
  setItem(key: string, text: string): void {
    (this as unknown as Record<string, string>)[key] = text;
  }
  removeItem(key: string): void {
    delete (this as unknown as Record<string, string>)[key];
  }
}

export interface Post {
  body: string;
  tab: Tab;
  answer: (reply: Reply | undefined) => void;
}

export interface Tab {
  client: Afterword;
  events: PageEvents;
  session: FakeStorage;
  isAlive: boolean;
  isHidden: boolean;
  timers: Set<{ atMs: number; run: () => void }>;
  captured: string[];
}

/** Lets promises run dry. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class World {
  nowMs = Date.UTC(2026, 0, 31);
  local = new FakeStorage();
  tabs: Tab[] = [];
  posts: Post[] = [];
  /** What the service has committed: content by id. */
  rows = new Map<string, string>();
  n_conflicts = 0;
  drops: Drop[] = [];
  captured = new Map<string, Item>();
  isStorageFull = false;
  wasStorageFull = false;
  isOnline = true;
  private held = new Map<string, { tab: Tab }[]>();
  private chance = 1;
  constructor(
    readonly hasLocks: boolean,
    readonly options: Partial<AfterwordOptions> = {},
  ) {}

  private random = (): number => {
    this.chance = (Math.imul(this.chance, 1103515245) + 12345) >>> 0;
    return this.chance / 2 ** 32;
  };

  /** Opens a page, in a new tab or as the next page of a tab. */
  open(session = new FakeStorage()): Tab {
    const tab = { session, isAlive: true, isHidden: false, timers: new Set(), captured: [] } as unknown as Tab;
    tab.client = createClient(
      { endpoint: 'https://feedback.test', token: 'aw_pub_x', ...this.options },
      this.platform(tab),
    );
    tab.client.on('drop', (drop) => tab.isAlive && this.drops.push(drop));
    tab.client.on('feedback', (item) => {
      this.captured.set(item.id, item);
      tab.captured.push(item.id);
    });
    this.tabs.push(tab);
    return tab;
  }

  private platform(tab: Tab): Platform {
    const local = new Proxy(this.local, {
      get: (target, name) => {
        if (name !== 'setItem') return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
        return (key: string, text: string) => {
          if (this.isStorageFull) throw new Error('QuotaExceededError');
          target.setItem(key, text);
        };
      },
    }) as unknown as Store;
    const store = (kind: string): Store | undefined =>
      kind === 'local' ? local : kind === 'session' ? (tab.session as unknown as Store) : undefined;
    return {
      nowMs: () => this.nowMs,
      monoMs: () => this.nowMs,
      randomBytes: () => Uint8Array.from({ length: 16 }, () => Math.floor(this.random() * 256)),
      afterMs: (ms, run) => tab.timers.add({ atMs: this.nowMs + ms, run }),
      isHidden: () => tab.isHidden,
      isOnline: () => this.isOnline,
      hasGpc: () => false,
      storeOf: store,
      webLocks: this.hasLocks ? { request: this.request.bind(this, tab) as LockManager['request'] } : undefined,
      watchPage: (events) => {
        tab.events = events;
        return () => {};
      },
      postBody: (_url, body) =>
        new Promise((resolve, reject) => {
          this.posts.push({
            body,
            tab,
            answer: (reply) => {
              if (!tab.isAlive) return;
              if (reply) resolve(reply);
              else reject(new TypeError('Failed to fetch'));
            },
          });
        }),
    };
  }

  /** Web Locks: `run` holds the name until what it returns is kept; with `ifAvailable` it may get no lock instead. */
  private async request(tab: Tab, name: string, ...rest: unknown[]): Promise<void> {
    const run = rest.pop() as (lock: { name: string } | null) => unknown;
    const holders = this.held.get(name) ?? [];
    if (rest.length && holders.length) return void (await run(null));
    const one = { tab };
    this.held.set(name, [...holders, one]);
    await run({ name });
    this.held.set(
      name,
      this.held.get(name)!.filter((other) => other !== one),
    );
  }

  /** The page is gone without a word. */
  kill(tab: Tab): void {
    tab.isAlive = false;
    tab.timers.clear();
    for (const [name, holders] of this.held) {
      this.held.set(
        name,
        holders.filter((holder) => holder.tab !== tab),
      );
    }
    this.tabs = this.tabs.filter((other) => other !== tab);
  }

  /** The page is left for the next page of its tab. */
  navigate(tab: Tab): Tab {
    tab.events.hidePage();
    tab.events.leavePage();
    this.kill(tab);
    return this.open(tab.session);
  }

  /** Moves the clock and lets due timers run, in order. */
  async pass(ms: number): Promise<void> {
    await settle();
    const endMs = this.nowMs + ms;
    for (;;) {
      const due = this.tabs
        .flatMap((tab) => [...tab.timers].map((timer) => ({ tab, timer })))
        .filter(({ timer }) => timer.atMs <= endMs)
        .sort((a, b) => a.timer.atMs - b.timer.atMs)[0];
      if (!due) break;
      this.nowMs = Math.max(this.nowMs, due.timer.atMs);
      due.tab.timers.delete(due.timer);
      due.timer.run();
      await settle();
    }
    this.nowMs = endMs;
    await settle();
  }

  /** Answers the oldest request. */
  async answer(fault: Fault): Promise<void> {
    const post = this.posts.shift();
    if (!post) return;
    const items = (JSON.parse(post.body) as { feedback: (Item & { age_ms?: number })[] }).feedback;
    const reply = (status: number, body: unknown, retryAfter: string | null = null): Reply => ({
      status,
      text: JSON.stringify(body),
      retryAfter,
    });
    if (fault === '500') post.answer(reply(500, { code: 'internal_error', retryable: false }));
    else if (fault === '429') post.answer(reply(429, { code: 'quota_exceeded', retryable: true }, '7'));
    else if (fault === '413') post.answer(reply(413, { code: 'body_too_large' }));
    else if (fault === 'portal') post.answer({ status: 200, text: '<html>Please log in</html>', retryAfter: null });
    else if (fault === 'lost_before') post.answer(undefined);
    else {
      const rejected = fault === 'reject_first' ? [{ index: 0, id: items[0]!.id, code: 'conflict' }] : [];
      const kept = items.slice(rejected.length);
      let accepted = 0;
      for (const { age_ms, ...content } of kept) {
        const text = JSON.stringify(content);
        const known = this.rows.get(content.id);
        if (known === undefined) accepted += 1;
        else if (known !== text) this.n_conflicts += 1;
        this.rows.set(content.id, known ?? text);
      }
      const receipt = { accepted, duplicate: kept.length - accepted, rejected };
      const status = rejected.length ? (kept.length ? 207 : 422) : 200;
      const body = status === 422 ? { code: 'conflict', rejected } : receipt;
      post.answer(fault === 'lost_after' ? undefined : reply(status, body));
    }
    await settle();
  }

  /** Ids that lie in the shared storage. */
  stored(): Set<string> {
    const texts = Object.values({ ...this.local }) as unknown as string[];
    return new Set(texts.flatMap((text) => (JSON.parse(text) as { items: Item[] }).items.map((item) => item.id)));
  }
}
