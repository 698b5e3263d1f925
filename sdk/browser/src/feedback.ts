/** The id of one model answer, as the backend gave it to the page: 1 to 256 bytes of UTF-8. */
export type CompletionId = string;
/** The id of one reaction: a UUID of version 7, made at capture and kept across every retry. */
export type FeedbackId = string;

/** A thumb; `none` takes an earlier one back. `reasons` are stable codes of `[a-z0-9_.-]`. */
export interface Thumb {
  signal: 'thumb';
  completion_id: CompletionId;
  value: 'up' | 'down' | 'none';
  reasons?: string[] | undefined;
  comment?: string | undefined;
}
/** A rating: a number from 0 to 1, or points on a scale of the page's own. */
export interface Rating {
  signal: 'rating';
  completion_id: CompletionId;
  value: number | { score: number; min: number; max: number };
}
/** One answer beside another one to the same prompt. */
export interface Preference {
  signal: 'preference';
  completion_id: CompletionId;
  against: CompletionId;
  outcome: 'better' | 'worse' | 'tie' | 'both_bad';
  strength?: number | undefined;
  shown_first?: 'this' | 'against' | 'unknown' | undefined;
}
/** Free text on an answer. */
export interface Comment {
  signal: 'comment';
  completion_id: CompletionId;
  text: string;
}
/** The answer as the user rewrote it. `truncated` is set by the SDK where it had to cut the text. */
export interface Edit {
  signal: 'edit';
  completion_id: CompletionId;
  text: string;
  accepted?: boolean | undefined;
  truncated?: boolean | undefined;
}
/** The user asked again; `next_completion_id` is the answer that came of it. */
export interface Regenerate {
  signal: 'regenerate';
  completion_id: CompletionId;
  next_completion_id?: CompletionId | undefined;
  reason?: string | undefined;
}
/** The user carried on with the conversation. */
export interface Continuation {
  signal: 'continuation';
  completion_id: CompletionId;
  turn?: number | undefined;
  gap_ms?: number | undefined;
  next_completion_id?: CompletionId | undefined;
}
/** Text of the answer was copied: how much of how much, never which. Counts are UTF-16 code units. */
export interface Copy {
  signal: 'copy';
  completion_id: CompletionId;
  n_chars?: number | undefined;
  n_total_chars?: number | undefined;
  contains_code?: boolean | undefined;
  method?: 'button' | 'selection' | undefined;
}
/** The answer was used where it was meant to go. */
export interface Accept {
  signal: 'accept';
  completion_id: CompletionId;
  method?: 'insert' | 'apply' | 'send' | undefined;
}
/** The answer was shown. */
export interface Impression {
  signal: 'impression';
  completion_id: CompletionId;
}
/** The answer was in view for so long. */
export interface Dwell {
  signal: 'dwell';
  completion_id: CompletionId;
  visible_ms: number;
}

/** One reaction, in the words of the wire: what `beforeSend` sees is what leaves the page, and nothing else does. */
export type Feedback =
  | Thumb
  | Rating
  | Preference
  | Comment
  | Edit
  | Regenerate
  | Continuation
  | Copy
  | Accept
  | Impression
  | Dwell;

/** A reaction with what was fixed at its capture. The service compares retries by all of this. */
export type Item = Feedback & {
  id: FeedbackId;
  occurred_at: string;
  session_id: string;
  seq: number;
  user?: string | undefined;
  supersedes?: FeedbackId | undefined;
  weight?: number | undefined;
};

const EXPLICIT = /thumb|rating|preference|comment|edit/;

/** Tells whether a person meant to tell us something. Such reactions are never sampled and go first at the exit. */
export function isExplicit(signal: string): boolean {
  return EXPLICIT.test(signal);
}
