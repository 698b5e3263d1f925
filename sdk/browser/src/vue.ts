import {
  type ComputedRef,
  computed,
  inject,
  type MaybeRefOrGetter,
  type ObjectDirective,
  type Plugin,
  shallowRef,
  toValue,
  watch,
} from 'vue';
import { orAbsent } from './absent.ts';
import type { ThumbsAttributes } from './element.ts';
import type { CompletionId } from './feedback.ts';
import type { Afterword } from './options.ts';
import { createThumbStore, type ThumbActions, type ThumbValue } from './thumb-store.ts';

export type { ThumbActions, ThumbExtras, ThumbState, ThumbValue } from './thumb-store.ts';

// Registered, so that two copies of this module still find each other's client.
const KEY = /* @__PURE__ */ Symbol.for('afterword');

/** Marks an answer, so that `observe` sees it: `v-completion="id"`. */
export const vCompletion: ObjectDirective<HTMLElement, CompletionId> = {
  created: (element, { value }) => element.setAttribute('data-completion-id', value),
  updated: (element, { value }) => element.setAttribute('data-completion-id', value),
  getSSRProps: ({ value }) => ({ 'data-completion-id': value }),
};

/** Hands a client to an app, and adds `v-completion`. */
export function createAfterwordPlugin(client: Afterword): Plugin {
  return {
    install(app) {
      app.provide(KEY, client);
      app.directive('completion', vCompletion);
    },
  };
}

/** The app's client. Without the plugin: a client that takes nothing, and one warning. */
export function useAfterword(): Afterword {
  return orAbsent(inject<Afterword | undefined>(KEY, undefined), 'app.use(createAfterwordPlugin(client))');
}

/** The thumb of a completion as refs. */
export interface ThumbRefs extends ThumbActions {
  value: ComputedRef<ThumbValue>;
  reasons: ComputedRef<readonly string[]>;
  comment: ComputedRef<string>;
}

/** The thumb of a completion, the same for every component that asks. `initial` is what the server knows of it. */
export function useThumb(
  id: MaybeRefOrGetter<CompletionId>,
  initial: MaybeRefOrGetter<ThumbValue> = 'none',
): ThumbRefs {
  const aw = useAfterword();
  const store = computed(() => createThumbStore(aw, toValue(id), toValue(initial)));
  const state = shallowRef(store.value.get());
  watch(
    store,
    (store, _, onCleanup) => {
      const read = (): void => {
        state.value = store.get();
      };
      read();
      // A server renders once and never unmounts.
      if (typeof document !== 'undefined') onCleanup(store.subscribe(read));
    },
    { immediate: true, flush: 'sync' },
  );
  return {
    value: computed(() => state.value.value),
    reasons: computed(() => state.value.reasons),
    comment: computed(() => state.value.comment),
    set: (value, x) => store.value.set(value, x),
    press: (value) => store.value.press(value),
  };
}

declare module 'vue' {
  interface GlobalComponents {
    'afterword-thumbs': new () => { $props: ThumbsAttributes };
  }
}
