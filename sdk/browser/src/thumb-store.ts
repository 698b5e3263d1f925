import type { CompletionId, FeedbackId, Thumb } from './feedback.ts';
import type { Afterword } from './options.ts';

/** The state of a thumb; `none` is neither. */
export type ThumbValue = Thumb['value'];
/** Everything that a thumb says. */
export interface ThumbState {
  readonly value: ThumbValue;
  readonly reasons: readonly string[];
  readonly comment: string;
}
/** What may go with a thumb. */
export interface ThumbExtras {
  reasons?: string[];
  comment?: string;
}
/** What a page does with a thumb. Each returns the reaction's id, or undefined where it was not taken. */
export interface ThumbActions {
  /** Records the whole state; it supersedes the one before. */
  set(value: ThumbValue, x?: ThumbExtras): FeedbackId | undefined;
  /** What a button does: sets the value, or takes it back where it is set already. */
  press(value: 'up' | 'down'): FeedbackId | undefined;
}
/** The thumb of one completion. */
export interface ThumbStore extends ThumbActions {
  /** The same object until the state changes. */
  get(): ThumbState;
  subscribe(run: () => void): () => void;
}

interface Book {
  states: Map<CompletionId, ThumbState>;
  runs: Set<() => void>;
}
// By client: what was pressed outlives the component that showed it, so that a list that scrolls may forget its rows.
const books = /* @__PURE__ */ new WeakMap<Afterword, Book>();

/** The book of a client: what it recorded, whoever called it, <afterword-thumbs> included. */
function bookOf(aw: Afterword): Book {
  let book = books.get(aw);
  if (!book) {
    const { states, runs } = (book = { states: new Map(), runs: new Set() });
    books.set(aw, book);
    aw.on('feedback', (item) => {
      if (item.signal !== 'thumb') return;
      const { completion_id, value, reasons = [], comment = '' } = item;
      states.set(completion_id, { value, reasons, comment });
      for (const run of runs) run();
    });
  }
  return book;
}

/** Makes the thumb of a completion; before anything was recorded here its value is `initial`. */
export function createThumbStore(aw: Afterword, id: CompletionId, initial: ThumbValue = 'none'): ThumbStore {
  const { states, runs } = bookOf(aw);
  const untouched: ThumbState = { value: initial, reasons: [], comment: '' };
  const get = (): ThumbState => states.get(id) ?? untouched;
  const set: ThumbStore['set'] = (value, x) => aw.thumb(id, value, x);
  return {
    get,
    set,
    press: (value) => set(get().value === value ? 'none' : value),
    subscribe(run) {
      const own = (): void => run();
      runs.add(own);
      return () => runs.delete(own);
    },
  };
}
