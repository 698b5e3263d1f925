import type { CompletionId } from './feedback.ts';
import type { Afterword } from './options.ts';
import { createThumbStore, type ThumbActions, type ThumbState, type ThumbValue } from './thumb-store.ts';

export type { ThumbActions, ThumbExtras, ThumbState, ThumbValue } from './thumb-store.ts';

/** A store by Svelte's contract, of versions 4 and 5 alike: `$thumb` is the state. */
export interface ThumbReadable extends ThumbActions {
  subscribe(run: (state: ThumbState) => void): () => void;
}

/** The thumb of a completion, the same for every component that asks. `initial` is what the server knows of it. */
export function thumb(aw: Afterword, id: CompletionId, initial: ThumbValue = 'none'): ThumbReadable {
  const store = createThumbStore(aw, id, initial);
  return {
    set: store.set,
    press: store.press,
    subscribe(run) {
      run(store.get());
      return store.subscribe(() => run(store.get()));
    },
  };
}

/** Marks an answer, so that `observe` sees it: `use:completion={id}`. */
export function completion(node: HTMLElement, id: CompletionId): { update(id: CompletionId): void } {
  const update = (id: CompletionId): void => node.setAttribute('data-completion-id', id);
  update(id);
  return { update };
}
