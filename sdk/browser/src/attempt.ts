/** What `run` returns; undefined where it throws, which a browser's storage and what others wrote may do at any call. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
