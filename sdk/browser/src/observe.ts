import type { Afterword } from './options.ts';

/** What is observed, and where. */
export interface ObserveOptions {
  /** Default the document. A closed shadow root, or one that is attached later, is a root of its own. */
  root?: Document | ShadowRoot | Element | undefined;
  /** The attribute that names an answer; default `data-completion-id`. */
  attribute?: string | undefined;
  copy?: boolean | undefined;
  impression?: boolean | undefined;
  /** Default true, for answers that were in view for a second. */
  dwell?: boolean | { minMs?: number } | undefined;
}

type Tree = Document | ShadowRoot | Element;
type Point = readonly [Node, number];
type ComposedSelection = Selection & { getComposedRanges?(x: { shadowRoots: ShadowRoot[] }): StaticRange[] };

/** Longest time in view that is believed: behind it stands a screen that nobody locked. */
const MAX_DWELL_MS = 30 * 60_000;
/** `Node.DOCUMENT_POSITION_PRECEDING`. */
const PRECEDING = 2;
const NOT_TEXT = /^(style|script|template|afterword-thumbs)$/;

/** The open shadow roots below a node, in order, those in others included. */
function shadowRootsIn(tree: Tree): ShadowRoot[] {
  const roots = [...tree.querySelectorAll('*')].flatMap((one) => one.shadowRoot ?? []);
  return roots.flatMap((root) => [root, ...shadowRootsIn(root)]);
}

/** The text nodes that an element shows, in the order of reading, without those of answers inside it. */
function textsIn(node: Node, attribute: string, isTop = true): Text[] {
  if (node instanceof Text) return [node];
  if (node instanceof Element && (NOT_TEXT.test(node.localName) || (!isTop && node.hasAttribute(attribute)))) return [];
  const slotted = node instanceof HTMLSlotElement ? node.assignedNodes() : [];
  const children = slotted.length ? slotted : ((node as Element).shadowRoot ?? node).childNodes;
  return [...children].flatMap((child) => textsIn(child, attribute, false));
}

/** A node and the hosts above it: what stands for the node in each tree outside of its own. */
function hostsOf(node: Node): Node[] {
  const root = node.getRootNode();
  return root instanceof ShadowRoot ? [node, ...hostsOf(root.host)] : [node];
}

/** How many code units of a text lie before a point of any tree of the page. */
function nUnitsBefore([container, offset]: Point, text: Text): number {
  if (container === text) return Math.min(offset, text.length);
  for (const here of hostsOf(container)) {
    const there = hostsOf(text).find((node) => node.getRootNode() === here.getRootNode());
    if (!there) continue;
    let isBefore: unknown = here === there && offset > 0;
    if (here !== container) isBefore = here.compareDocumentPosition(there) & PRECEDING;
    else if (here !== there) {
      const point = document.createRange();
      point.setStart(here, offset);
      isBefore = point.comparePoint(there, 0) < 0;
    }
    return isBefore ? text.length : 0;
  }
  return 0;
}

/** What was copied of one answer. */
interface Share {
  id: string;
  nChars: number;
  nTotalChars: number;
  containsCode: boolean;
}

/**
 * Measures how much of each answer lies in a selection, in UTF-16 code units of its text nodes: a selection over several
 * answers is split, and neither the text nor its place is kept.
 */
function measure(root: Tree, attribute: string, selection: Selection): Share[] {
  const shadowRoots = shadowRootsIn(root);
  if (root instanceof ShadowRoot) shadowRoots.push(root);
  const composed = (selection as ComposedSelection).getComposedRanges?.({ shadowRoots });
  const ranges = composed ?? Array.from({ length: selection.rangeCount }, (_, i) => selection.getRangeAt(i));
  const shares = new Map<string, Share>();
  for (const element of [root, ...shadowRoots].flatMap((tree) => [...tree.querySelectorAll(`[${attribute}]`)])) {
    if (NOT_TEXT.test(element.localName)) continue;
    const id = element.getAttribute(attribute) as string;
    const share = shares.get(id) ?? { id, nChars: 0, nTotalChars: 0, containsCode: false };
    shares.set(id, share);
    for (const text of textsIn(element, attribute)) {
      share.nTotalChars += text.length;
      for (const { startContainer, startOffset, endContainer, endOffset } of ranges) {
        const nChars =
          nUnitsBefore([endContainer, endOffset], text) - nUnitsBefore([startContainer, startOffset], text);
        if (nChars <= 0) continue;
        share.nChars += nChars;
        share.containsCode ||= !!text.parentElement?.closest('pre,code');
      }
    }
  }
  return [...shares.values()].filter((share) => share.nChars > 0);
}

/** Times how long answers are in view, and tells of each when it first is. Returns what tells the times and ends it. */
function watchViews(aw: Afterword, root: Tree, attribute: string, o: ObserveOptions, end: AbortSignal): void {
  const minMs = (o.dwell as { minMs?: number } | undefined)?.minMs || 1000;
  const seen = new Set<string>();
  const inView = new Map<Element, string>();
  const spentMs = new Map<string, number>();
  let sinceMs = performance.now();
  let isShown = !document.hidden;

  /** Adds the time since the last call to what was in view. */
  const tick = (): void => {
    const nowMs = performance.now();
    for (const id of isShown ? new Set(inView.values()) : []) spentMs.set(id, (spentMs.get(id) ?? 0) + nowMs - sinceMs);
    sinceMs = nowMs;
  };
  const tell = (): void => {
    tick();
    for (const [id, ms] of spentMs) {
      if (o.dwell === false || ms < minMs) continue;
      aw.dwell(id, Math.min(ms, MAX_DWELL_MS));
      spentMs.delete(id);
    }
  };
  const show = (): void => {
    tick();
    isShown = !document.hidden;
  };

  const views = new IntersectionObserver(
    (entries) => {
      tick();
      for (const { target, intersectionRatio, intersectionRect, rootBounds } of entries) {
        const id = target.getAttribute(attribute);
        // Half of the answer, or of the window: one that is longer than two windows never shows half of itself.
        const fillsHalf = rootBounds && intersectionRect.height * 2 >= rootBounds.height;
        inView.delete(target);
        if (!target.isConnected) views.unobserve(target);
        if (!id || !(intersectionRatio >= 0.5 || (intersectionRatio > 0 && fillsHalf))) continue;
        inView.set(target, id);
        if (o.impression !== false && !seen.has(id)) aw.impression(id);
        seen.add(id);
      }
    },
    { threshold: Array.from({ length: 21 }, (_, i) => i / 20) },
  );
  const add = (node: Node): void => {
    if (!(node instanceof Element) || NOT_TEXT.test(node.localName)) return;
    views.unobserve(node);
    if (node.hasAttribute(attribute)) views.observe(node);
  };
  const scan = (tree: Node): void => {
    add(tree);
    if (!('querySelectorAll' in tree)) return;
    for (const one of (tree as Tree).querySelectorAll(`[${attribute}]`)) add(one);
    for (const inner of shadowRootsIn(tree as Tree)) follow(inner);
    if (tree instanceof Element && tree.shadowRoot) follow(tree.shadowRoot);
  };
  const changes = new MutationObserver((records) => {
    // What was added, and no more: an answer that is being written changes the page with every word.
    for (const { type, target, addedNodes } of records) {
      if (type === 'attributes') add(target);
      else for (const node of addedNodes) scan(node);
    }
  });
  function follow(tree: Node): void {
    changes.observe(tree, { childList: true, subtree: true, attributes: true, attributeFilter: [attribute] });
    scan(tree);
  }
  follow(root);

  const unlisten = aw.on('hide', () => {
    tell();
    isShown = false;
  });
  document.addEventListener('visibilitychange', show, { signal: end });
  window.addEventListener('pageshow', show, { signal: end });
  end.addEventListener('abort', () => {
    unlisten();
    tell();
    views.disconnect();
    changes.disconnect();
  });
}

/** Observes copies, impressions and dwell times of the answers below a root. Returns what ends it. */
export function observe(aw: Afterword, o: ObserveOptions = {}): () => void {
  if (typeof document === 'undefined') return () => {};
  const { root = document, attribute = 'data-completion-id' } = o;
  const end = new AbortController();
  const copied = (event: Event): void => {
    const selection = document.getSelection();
    const [target] = event.composedPath();
    // A text field has a selection of its own, which is no part of an answer.
    if (!selection || /^(input|textarea)$/.test((target as Element).localName)) return;
    for (const { id, ...share } of measure(root, attribute, selection)) aw.copy(id, { ...share, method: 'selection' });
  };
  if (o.copy !== false) root.addEventListener('copy', copied, { capture: true, signal: end.signal });
  if (o.impression !== false || o.dwell !== false) watchViews(aw, root, attribute, o, end.signal);
  return () => end.abort();
}
