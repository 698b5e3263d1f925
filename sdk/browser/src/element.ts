import css from './element.css';
import type { CompletionId } from './feedback.ts';
import { en } from './i18n/en.ts';
import { loadStrings } from './i18n/load.ts';
import type { ThumbStrings } from './i18n/strings.ts';
import type { Afterword } from './options.ts';
import type { ThumbValue } from './thumb-store.ts';

export type { ThumbStrings, ThumbValue };
/** What `afterword-change` tells of. */
export interface ThumbChange {
  completionId: CompletionId;
  value: ThumbValue;
}
/** What `afterword-submit` tells of. */
export interface ThumbSubmit extends ThumbChange {
  reasons: string[];
  comment: string;
}

/** UTF-16 code units; three bytes for each are still below the service's bound of a comment. */
const MAX_COMMENT_UNITS = '5000';
const VALUES = ['up', 'down'] as const;
const SVG = '2000/svg';
const HAND =
  'M7.5 10.5 11 3.8c1.5 0 2.6 1.2 2.4 2.7l-.5 3h5.3a2 2 0 0 1 2 2.4l-1.4 6.5a2 2 0 0 1-2 1.6H7.5zM3.8 10.5h3.7V20H3.8z';

// A server knows no elements, and imports us nonetheless.
const Base = (globalThis.HTMLElement ?? Object) as typeof HTMLElement;

let client: Afterword | undefined;
/** What was pressed before there was a client: the latest of each completion. */
const waiting = new Map<CompletionId, (aw: Afterword) => void>();

/** Names the client that every `<afterword-thumbs>` without one of its own reports to. Returns it. */
export function setAfterword(aw: Afterword): Afterword {
  client = aw;
  for (const send of waiting.values()) send(aw);
  waiting.clear();
  return aw;
}

/** Defines the element under a name; does nothing where it is taken, or on a server. */
export function defineThumbs(name = 'afterword-thumbs'): void {
  // A class can be registered once only, and the page may want more than one name.
  globalThis.customElements?.get(name) ?? globalThis.customElements?.define(name, class extends AfterwordThumbs {});
}

let sheet: CSSStyleSheet | undefined;
/** Gives a shadow root its style. Where that cannot be done without breaking a strict policy, the browser's own look stays. */
function dress(root: ShadowRoot): void {
  try {
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
    }
    root.adoptedStyleSheets = [sheet];
  } catch {
    // Safari before 16.4.
  }
}

/** Adds an element, of HTML if no other vocabulary is named. */
function add<T extends Element = HTMLElement>(
  parent: Node,
  tag: string,
  attributes: Record<string, string> = {},
  text = '',
  vocabulary = '1999/xhtml',
): T {
  const element = document.createElementNS(`http://www.w3.org/${vocabulary}`, tag) as T;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(text);
  parent.appendChild(element);
  return element;
}

/** `a:First|b` is a list of codes with labels; a code without one has that of the language, or itself. */
function parseReasons(text: string | null, labels: Record<string, string>): [code: string, label: string][] {
  const pairs = (text ?? '').split('|').map((pair) => pair.split(/:(.*)/s).map((word) => word.trim()));
  return pairs.flatMap(([code, label]) => (code ? [[code, label || labels[code] || code]] : []));
}

/**
 * A pair of thumbs for one answer. A press records a thumb, a second one on the same button takes it back; with `reasons`
 * or `comment` a form follows. A press that the client does not take changes nothing.
 */
export class AfterwordThumbs extends Base implements ThumbsElement {
  /** The words of each language, by its subtag; what is put here wins over what we would load. */
  static strings: Record<string, ThumbStrings> = { en };
  /** The client of this element alone; wins over that of `setAfterword`. */
  declare client: Afterword | undefined;
  static {
    // Frameworks set a property only where there is one; no accessor, so that one set before the definition stays.
    AfterwordThumbs.prototype.client = undefined;
  }
  static observedAttributes = ['value', 'data-completion-id', 'disabled', 'lang'];

  #buttons: Partial<Record<ThumbValue, HTMLElement>> = {};
  #group!: HTMLElement;
  #form!: HTMLElement;
  #status!: HTMLElement;
  /** Whether the state was made by a press here, and not by the host. */
  #isPressed = false;

  get value(): ThumbValue {
    const value = this.getAttribute('value');
    return value === 'up' || value === 'down' ? value : 'none';
  }
  set value(value: ThumbValue | null | undefined) {
    this.setAttribute('value', value ?? 'none');
  }
  get disabled(): boolean {
    return this.hasAttribute('disabled');
  }
  set disabled(isDisabled: boolean) {
    this.toggleAttribute('disabled', isDisabled);
  }

  connectedCallback(): void {
    if (!this.#form) this.#build();
    this.#render();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.#form || before === now) return;
    if (name === 'value') {
      this.#isPressed = false;
      this.#form.hidden = true;
    }
    if (name === 'data-completion-id' && before) {
      // The node is used for another answer: what was pressed was said of the one before.
      this.#form.hidden = true;
      this.#status.textContent = '';
      if (this.#isPressed) this.value = 'none';
    }
    this.#render();
  }

  override focus(options?: FocusOptions): void {
    this.#buttons.up?.focus(options);
  }

  #build(): void {
    // What a framework set before the element was defined hides the accessors.
    for (const name of ['value', 'disabled'] as const) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete (this as Partial<AfterwordThumbs>)[name];
      Object.assign(this, { [name]: value });
    }
    const root = this.attachShadow({ mode: 'open' });
    dress(root);
    this.#group = add(root, 'div', { part: 'group', role: 'group' });
    for (const value of VALUES) {
      const button = add(this.#group, 'button', { part: `button ${value}`, type: 'button' });
      const icon = add(
        button,
        'svg',
        { part: 'icon', viewBox: '0 0 24 24', width: '20', 'aria-hidden': 'true' },
        '',
        SVG,
      );
      add(icon, 'path', { d: HAND, transform: `rotate(${value === 'up' ? 0 : 180} 12 12)` }, '', SVG);
      button.onclick = () => this.#press(value);
      this.#buttons[value] = button;
    }
    // There before it has anything to say: regions that come with their text are not read out.
    this.#status = add(this.#group, 'span', { part: 'status', role: 'status' });
    this.#form = add(root, 'fieldset', { part: 'form', hidden: '' });
    root.addEventListener('keydown', (event) => {
      const { key, isComposing } = event as KeyboardEvent;
      if (key !== 'Escape' || isComposing || this.#form.hidden) return;
      // A dialog around us stays open.
      event.stopPropagation();
      event.preventDefault();
      this.#close();
    });
  }

  #id(): CompletionId {
    return this.dataset.completionId ?? '';
  }

  #strings(node: HTMLElement): ThumbStrings {
    const { strings } = AfterwordThumbs;
    const { lang } = this.closest<HTMLElement>('[lang]') ?? document.documentElement;
    const language = lang.split('-', 1)[0]!.toLowerCase();
    const found = strings[lang] ?? strings[language];
    if (!found && lang) {
      loadStrings(language).then((loaded) => {
        if (!loaded) return;
        strings[language] ??= loaded;
        this.#render();
      });
    }
    const words = found ?? strings.en ?? en;
    node.lang = found ? lang : 'en';
    node.dir = words.dir ?? 'ltr';
    return words;
  }

  #render(): void {
    const words = this.#strings(this.#group);
    this.#group.setAttribute('aria-label', words.group);
    // An answer that is still being written may have no id yet.
    const isOff = this.disabled || !this.#id();
    if (isOff) this.#form.hidden = true;
    for (const value of VALUES) {
      const button = this.#buttons[value] as HTMLButtonElement;
      button.title = words[value];
      button.setAttribute('aria-label', words[value]);
      button.setAttribute('aria-pressed', `${this.value === value}`);
      button.disabled = isOff;
    }
  }

  #tell(what: 'change' | 'submit', detail: ThumbChange | ThumbSubmit): boolean {
    const options = { detail, bubbles: true, composed: true, cancelable: true };
    return this.dispatchEvent(new CustomEvent(`afterword-${what}`, options));
  }

  #say(text: string, isQuiet?: boolean): void {
    this.#status.setAttribute('part', isQuiet ? 'status quiet' : 'status');
    this.#status.textContent = text;
  }

  /** Asks the host, then hands the whole state to the client. Tells whether it was taken, or waits for a client. */
  #record(value: ThumbValue, x?: { reasons: string[]; comment: string }): boolean {
    const completionId = this.#id();
    if (!this.#tell(x ? 'submit' : 'change', { completionId, value, ...x })) return false;
    const send = (aw: Afterword) => aw.thumb(completionId, value, x);
    const aw = this.client ?? client;
    if (aw) return !!send(aw);
    if (!waiting.size) console.warn('afterword-thumbs: waits for setAfterword');
    waiting.set(completionId, send);
    return true;
  }

  #press(pressed: 'up' | 'down'): void {
    const value = this.value === pressed ? 'none' : pressed;
    if (!this.#record(value)) return;
    this.value = value;
    this.#isPressed = true;
    const words = this.#strings(this.#form);
    if (value === 'none') this.#say(words.cleared, true);
    // The focus moves into the form, and what is said of that should not be talked over.
    else this.#say(this.#ask(value, words) ? '' : words.thanks, true);
  }

  /** Opens the form, if there is anything to ask. */
  #ask(value: 'up' | 'down', words: ThumbStrings): boolean {
    const isUp = value === 'up';
    const reasons = parseReasons(this.getAttribute(isUp ? 'reasons-up' : 'reasons'), words.reasons);
    const comment = this.getAttribute('comment');
    const hasComment = isUp ? comment === 'both' : comment !== null;
    if (!reasons.length && !hasComment) return false;

    const form = this.#form;
    form.replaceChildren();
    add(form, 'legend', { part: 'legend' }, words.ask);
    const boxes = reasons.map(([code, text]) => {
      const label = add(form, 'label', { part: 'reason' });
      const box = add<HTMLInputElement>(label, 'input', { type: 'checkbox', value: code });
      label.append(text);
      return box;
    });
    const limits = { part: 'comment', maxlength: MAX_COMMENT_UNITS };
    const field =
      hasComment && add<HTMLTextAreaElement>(add(form, 'label', { part: 'label' }, words.comment), 'textarea', limits);
    add(form, 'button', { part: 'submit', type: 'button' }, words.send).onclick = () => {
      const reasons = boxes.filter((box) => box.checked).map((box) => box.value);
      const comment = field ? field.value.trim() : '';
      const isEmpty = !reasons.length && !comment;
      if (!isEmpty && !this.#record(value, { reasons, comment })) return;
      this.#say(isEmpty ? '' : words.thanks);
      this.#close();
    };
    add(form, 'button', { part: 'close', type: 'button' }, words.close).onclick = () => this.#close();
    form.hidden = false;
    form.querySelector<HTMLElement>('input,textarea')?.focus();
    return true;
  }

  /** Hides the form and gives the focus back to the button that opened it. */
  #close(): void {
    this.#form.hidden = true;
    this.#buttons[this.value]?.focus();
  }
}

/** What scripts of a page see of `<afterword-thumbs>`. */
export interface ThumbsElement extends HTMLElement {
  get value(): ThumbValue;
  set value(value: ThumbValue | null | undefined);
  disabled: boolean;
  /** The client of this element alone; wins over that of `setAfterword`. */
  client: Afterword | undefined;
}

/** The attributes of `<afterword-thumbs>`, for templates that are checked. */
export interface ThumbsAttributes {
  'data-completion-id'?: CompletionId | undefined;
  value?: ThumbValue | undefined;
  reasons?: string | undefined;
  'reasons-up'?: string | undefined;
  comment?: '' | 'both' | undefined;
  disabled?: boolean | undefined;
  lang?: string | undefined;
  client?: Afterword | undefined;
}

declare global {
  interface HTMLElementTagNameMap {
    'afterword-thumbs': ThumbsElement;
  }
  interface HTMLElementEventMap {
    'afterword-change': CustomEvent<ThumbChange>;
    'afterword-submit': CustomEvent<ThumbSubmit>;
  }
}
