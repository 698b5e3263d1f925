import type { Afterword } from './options.ts';

let isTold = false;
const nothing = (): undefined => undefined;

/** What stands in for a client where the page gave none. */
const absent: Afterword = /* @__PURE__ */ new Proxy({} as Afterword, {
  get(_, name) {
    if (name === 'pending') return 0;
    if (name === 'sessionId') return '';
    if (name === 'on') return () => nothing;
    if (name === 'completion') return () => absent;
    if (name === 'flush') return () => Promise.resolve({ accepted: 0, duplicate: 0, rejected: 0, pending: 0 });
    if (name === 'shutdown') return () => Promise.resolve();
    // Nobody who awaits this waits for ever.
    return name === 'then' ? undefined : nothing;
  },
});

/** A client that takes nothing and says so once: a missing provider must not break a press. */
export function orAbsent(aw: Afterword | undefined, where: string): Afterword {
  if (!aw && !isTold) console.warn(`afterword: no client here; ${where}`);
  isTold ||= !aw;
  return aw ?? absent;
}
