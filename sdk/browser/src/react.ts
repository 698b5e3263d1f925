import {
  type ComponentPropsWithoutRef,
  createContext,
  createElement,
  type DetailedHTMLProps,
  type ElementType,
  type HTMLAttributes,
  type ReactElement,
  type ReactNode,
  useContext,
  useMemo,
  useSyncExternalStore,
} from 'react';
import { orAbsent } from './absent.ts';
import type { ThumbChange, ThumbSubmit, ThumbsAttributes, ThumbsElement } from './element.ts';
import type { CompletionId } from './feedback.ts';
import type { Afterword } from './options.ts';
import { createThumbStore, type ThumbActions, type ThumbState, type ThumbValue } from './thumb-store.ts';

export type { ThumbActions, ThumbExtras, ThumbState, ThumbValue } from './thumb-store.ts';

const Context = /* @__PURE__ */ createContext<Afterword | undefined>(undefined);

/** Hands a client to the components below. */
export function AfterwordProvider(props: { client: Afterword; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: props.client }, props.children);
}

/** The client of the nearest provider. Without one: a client that takes nothing, and one warning. */
export function useAfterword(): Afterword {
  return orAbsent(useContext(Context), 'wrap the page in <AfterwordProvider>');
}

/** The thumb of a completion, the same for every component that asks. `initial` is what the server knows of it. */
export function useThumb(id: CompletionId, initial: ThumbValue = 'none'): ThumbState & ThumbActions {
  const aw = useAfterword();
  const store = useMemo(() => createThumbStore(aw, id, initial), [aw, id, initial]);
  const state = useSyncExternalStore(store.subscribe, store.get, store.get);
  return useMemo(() => ({ ...state, set: store.set, press: store.press }), [state, store]);
}

/** Props of `Completion`: those of the element that it renders, a `div` if `as` names no other. */
export type CompletionProps<T extends ElementType = 'div'> = { id: CompletionId; as?: T } & Omit<
  ComponentPropsWithoutRef<T>,
  'id' | 'as'
>;

/** Marks an answer, so that `observe` sees it. */
export function Completion<T extends ElementType = 'div'>({ id, as, ...rest }: CompletionProps<T>): ReactElement {
  return createElement(as ?? 'div', { ...rest, 'data-completion-id': id });
}

/** Props of `<afterword-thumbs>`. Version 18 sets no listeners and makes words of booleans: `disabled={isOff || undefined}`. */
export type ThumbsProps = Omit<DetailedHTMLProps<HTMLAttributes<ThumbsElement>, ThumbsElement>, 'lang'> &
  ThumbsAttributes & {
    'onafterword-change'?: (event: CustomEvent<ThumbChange>) => void;
    'onafterword-submit'?: (event: CustomEvent<ThumbSubmit>) => void;
  };

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'afterword-thumbs': ThumbsProps;
    }
  }
}
