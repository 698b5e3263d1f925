/** The words of `<afterword-thumbs>` in one language. */
export interface ThumbStrings {
  /** Names the pair of buttons. */
  group: string;
  up: string;
  down: string;
  /** Heads the form. */
  ask: string;
  comment: string;
  send: string;
  close: string;
  /** Told after a press, and after the form was sent. */
  thanks: string;
  /** Told after a second press. */
  cleared: string;
  /** Labels of reasons that are named by their code alone. */
  reasons: Record<string, string>;
  /** Where the language is written from right to left. */
  dir?: 'rtl';
}
