// Everything under one global name, `afterword`, for pages without a bundler; <afterword-thumbs> is defined.
import { defineThumbs } from './element.ts';

export * from './conversation.ts';
export * from './element.ts';
export * from './index.ts';
export * from './observe.ts';

/** The global name: what this file exports, or a page's list from before it was loaded. */
const named = (): unknown => (globalThis as { afterword?: unknown }).afterword;

/**
 * Runs functions with all of this, one after the other. Before the script is loaded a page has a plain list of the same name,
 * whose functions run once it is there: `afterword.push(run)` is right at any time.
 */
export function push(...runs: ((api: unknown) => void)[]): void {
  // Each by itself: what one throws is told to the page as its own error, and the next one runs.
  for (const run of runs) queueMicrotask(() => run(named()));
}

const early = named();
if (Array.isArray(early)) push(...early);
defineThumbs();
