//! Why something became no example: the words that exports, cards and documents print.

/// Both answers were called equally good.
pub const TIE: &str = "tie";
/// Both answers were called bad.
pub const BOTH_BAD: &str = "both_bad";
/// No side reached `min_agreement`.
pub const VOTES_DISAGREE: &str = "votes_disagree";
/// Fewer votes than `min_votes`.
pub const TOO_FEW_VOTES: &str = "too_few_votes";
/// Every vote was taken back.
pub const RETRACTED: &str = "retracted";
/// Two rules prefer opposite answers.
pub const RULES_CONTRADICT: &str = "rules_contradict";
/// The other answer is absent or answers another prompt.
pub const OTHER_PROMPT_OR_UNKNOWN: &str = "other_prompt_or_unknown";
/// The two answers are not labelled positive and negative.
pub const LABELS_NOT_OPPOSED: &str = "labels_not_opposed";
/// The ratings are closer than the recipe asks for.
pub const RATING_DIFFERENCE_TOO_SMALL: &str = "rating_difference_too_small";
/// The ratings are on different scales.
pub const RATINGS_INCOMPARABLE: &str = "ratings_incomparable";
/// The user did not keep the edit.
pub const EDIT_NOT_ACCEPTED: &str = "edit_not_accepted";
/// The edited text was cut on its way.
pub const EDIT_TRUNCATED: &str = "edit_truncated";
/// The edit changed nothing but white space or case.
pub const EDIT_UNCHANGED: &str = "edit_unchanged";
/// The edit is smaller than `edit_min_distance`.
pub const EDIT_TOO_SMALL: &str = "edit_too_small";
/// The edit is larger than `edit_max_distance`.
pub const EDIT_TOO_LARGE: &str = "edit_too_large";
/// The answer was replaced after a failure.
pub const REGENERATE_AFTER_FAILURE: &str = "regenerate_after_failure";
/// Nobody showed that the replacement is good.
pub const REGENERATE_KEPT_UNPROVEN: &str = "regenerate_kept_unproven";
/// Somebody liked the replaced answer.
pub const REGENERATE_REPLACED_LIKED: &str = "regenerate_replaced_liked";
/// One voter reacted to more answers of one prompt than are compared.
pub const TOO_MANY_ANSWERS: &str = "too_many_answers";
/// The answer won one comparison and lost another.
pub const WON_AND_LOST: &str = "won_and_lost";
/// The answer's label is negative.
pub const NEGATIVE_LABEL: &str = "negative_label";
/// Nothing says that the answer is worth imitating.
pub const NOT_ENDORSED: &str = "not_endorsed";
/// Nobody called the answer clearly good or bad.
pub const NO_LABEL: &str = "no_label";
/// The selection does not let through the answers that the feedback is on.
pub const NOT_SELECTED: &str = "not_selected";
/// Consent to training is refused.
pub const CONSENT_REFUSED: &str = "consent_refused";
/// Consent to training is absent.
pub const CONSENT_MISSING: &str = "consent_missing";
/// Nobody recorded why the model stopped.
pub const FINISH_REASON_MISSING: &str = "finish_reason_missing";
/// The model did not stop by itself.
pub const FINISH_REASON_NOT_STOP: &str = "finish_reason_not_stop";
/// Tools were offered, called or answered.
pub const TOOL_CALLS: &str = "tool_calls";
/// A message holds more than text.
pub const NOT_PLAIN_TEXT: &str = "not_plain_text";
/// The prompt does not end with a user's turn.
pub const PROMPT_NOT_ENDING_WITH_USER: &str = "prompt_not_ending_with_user";
/// An answer is empty.
pub const EMPTY_TEXT: &str = "empty_text";
/// Both answers are the same text.
pub const IDENTICAL_TEXTS: &str = "identical_texts";
/// The answers come from two models.
pub const OTHER_MODEL: &str = "other_model";
/// The better answer of the pair is not the prompt's best.
pub const NOT_BEST: &str = "not_best";
/// The prompt has more pairs than `max_pairs_per_prompt`.
pub const MAX_PAIRS: &str = "max_pairs";
/// The larger class of labels is cut down to the smaller.
pub const DOWNSAMPLED: &str = "downsampled";
/// A tool call cannot be read.
pub const TOOL_CALLS_UNREADABLE: &str = "tool_calls_unreadable";
/// Longer than `max_chars`.
pub const TOO_LONG: &str = "too_long";
/// Another row has the same texts.
pub const DUPLICATE: &str = "duplicate";
/// Another row has nearly the same texts.
pub const NEAR_DUPLICATE: &str = "near_duplicate";
/// The prompt belongs to an experiment whose prompts may not be trained on.
pub const HELD_OUT: &str = "held_out";
/// A benchmark asks or says the same.
pub const CONTAMINATED: &str = "contaminated";
/// Without personal data both answers are the same text.
pub const IDENTICAL_AFTER_REDACTION: &str = "identical_after_redaction";
/// The answer is labelled unsafe.
pub const UNSAFE: &str = "unsafe";
/// The worse answer refuses, and the better one does not.
pub const REFUSAL_REJECTED: &str = "refusal_rejected";
/// The row ties a part of the data that lies in one split to a part that lies in another.
pub const BRIDGES_SPLITS: &str = "bridges_splits";

/// Too few known users voted on it to tell who of them is right.
pub const TOO_FEW_OVERLAPPING_VOTES: &str = "too_few_overlapping_votes";
/// No chain of votes ties the two answers together.
pub const NOT_CONNECTED: &str = "not_connected";
/// One answer is far longer than the other.
pub const LENGTH_RATIO_TOO_LARGE: &str = "length_ratio_too_large";
/// The user who made it made too many others.
pub const TOO_MANY_ROWS_OF_USER: &str = "too_many_rows_of_user";
/// Nobody recorded which answer was seen first.
pub const ORDER_UNKNOWN: &str = "order_unknown";
/// Chance did not decide which answer was seen first.
pub const ORDER_NOT_RANDOM: &str = "order_not_random";
/// It made the better answers longer.
pub const LENGTHS_MATCHED: &str = "lengths_matched";
/// Its weight left it out.
pub const RESAMPLED: &str = "resampled";

/// Every reason for which a candidate became no example, with the sentence that explains it.
pub const REASONS: &[(&str, &str)] = &[
    (TIE, "The votes call both answers equally good; ties degrade training on pairs."),
    (BOTH_BAD, "The votes call both answers bad, so neither may be imitated."),
    (VOTES_DISAGREE, "No side has the share of the votes that `min_agreement` asks for."),
    (TOO_FEW_VOTES, "There are fewer votes than `min_votes` asks for."),
    (RETRACTED, "Every vote was taken back or replaced."),
    (RULES_CONTRADICT, "Two kinds of evidence prefer opposite answers, or call one answer good and bad."),
    (OTHER_PROMPT_OR_UNKNOWN, "The other answer is not known, or it answers another prompt."),
    (LABELS_NOT_OPPOSED, "The majority verdicts on the two answers are not positive and negative."),
    (RATING_DIFFERENCE_TOO_SMALL, "The two ratings are closer than `rating_min_points` or `rating_min_difference`."),
    (RATINGS_INCOMPARABLE, "The two ratings are on different scales."),
    (EDIT_NOT_ACCEPTED, "The user edited the answer but did not accept the edited text."),
    (EDIT_TRUNCATED, "The edited text was cut on its way to us."),
    (EDIT_UNCHANGED, "The edit changes white space or case at most."),
    (EDIT_TOO_SMALL, "The edit changes less than `edit_min_distance` of the text."),
    (EDIT_TOO_LARGE, "The edit changes more than `edit_max_distance` of the text: it is another answer."),
    (
        REGENERATE_AFTER_FAILURE,
        "The answer was replaced because of an error, a stop or a timeout, not for its quality.",
    ),
    (REGENERATE_KEPT_UNPROVEN, "The answer was replaced, but nothing shows that the replacement is liked."),
    (REGENERATE_REPLACED_LIKED, "The answer was replaced although there is positive evidence on it."),
    (TOO_MANY_ANSWERS, "More answers to one prompt were judged than are compared with each other; the first ones are."),
    (WON_AND_LOST, "The answer won one comparison and lost another."),
    (NEGATIVE_LABEL, "The answer's label is negative."),
    (NOT_ENDORSED, "No evidence says that the answer is worth imitating."),
    (NO_LABEL, "Nobody called the answer clearly good or bad: its ratings lie in the middle, or were none."),
    (NOT_SELECTED, "The recipe's selection does not let through the answers that the feedback is on."),
    (CONSENT_REFUSED, "Training on one of the answers was refused; no recipe can set that aside."),
    (CONSENT_MISSING, "Consent to training is not recorded for one of the answers, and the project declares none."),
    (FINISH_REASON_MISSING, "Why the model stopped is not recorded; only answers that ended by themselves enter."),
    (FINISH_REASON_NOT_STOP, "The model was cut off or filtered; only answers that ended by themselves enter."),
    (
        TOOL_CALLS,
        "The conversation offers, calls or answers tools, and `tool_calls` does not ask for such rows, or cannot write this one.",
    ),
    (NOT_PLAIN_TEXT, "A message holds something else than text, or a refusal instead of it."),
    (PROMPT_NOT_ENDING_WITH_USER, "The last message of the prompt is not the user's."),
    (EMPTY_TEXT, "An answer is empty, or white space only."),
    (IDENTICAL_TEXTS, "Both answers are the same text after Unicode normalisation and white-space folding."),
    (OTHER_MODEL, "The answers come from two models where `policy` asks for one, or not from `target_model`."),
    (NOT_BEST, "The better answer of the pair is not the best one to its prompt, which `pairing` asks for."),
    (MAX_PAIRS, "The prompt has more pairs than `max_pairs_per_prompt`, and others have more contrast."),
    (DOWNSAMPLED, "There are more answers of this label than `kto_balance` lets through for those of the other."),
    (TOOL_CALLS_UNREADABLE, "A tool call has no name, or its arguments are not an object."),
    (TOO_LONG, "Prompt and answers together are longer than `max_chars`."),
    (DUPLICATE, "Another row has the same texts and better support."),
    (NEAR_DUPLICATE, "Another row has nearly the same prompt and answers, and better support."),
    (HELD_OUT, "The prompt, or nearly the same one, is held out by an experiment, and the row would be trained on."),
    (CONTAMINATED, "The row repeats a text of the benchmark files that `decontaminate` names."),
    (IDENTICAL_AFTER_REDACTION, "Both answers are the same text once personal data are replaced."),
    (UNSAFE, "The label or the hook of `safety` calls the answer unsafe."),
    (REFUSAL_REJECTED, "The worse answer refuses and the better one does not: a model would unlearn to refuse."),
    (BRIDGES_SPLITS, "The row shares a prompt, nearly the same one, a conversation or a user with two splits."),
    (
        TOO_FEW_OVERLAPPING_VOTES,
        "Fewer than three users voted on it, too few to weigh them against each other (`aggregate = \"dawid_skene\"`).",
    ),
    (NOT_CONNECTED, "No chain of votes ties the two answers together, so that neither ranks above the other."),
    (LENGTH_RATIO_TOO_LARGE, "One answer is more than `max_length_ratio` times as long as the other."),
    (
        TOO_MANY_ROWS_OF_USER,
        "The users who made it have as many rows as `max_rows_per_user` and `max_user_share` allow.",
    ),
    (ORDER_UNKNOWN, "Nobody recorded which answer was seen first, and `drop_unrandomised` asks for it."),
    (ORDER_NOT_RANDOM, "In its experiment the same model was shown first too often for chance (`drop_unrandomised`)."),
    (LENGTHS_MATCHED, "Without it, better and worse answers are equally long on average (`length = \"match\"`)."),
    (RESAMPLED, "Its weight left it out (`weights = \"resample\"`)."),
];

/// Feedback that does not pass the filter of trust.
pub const UNTRUSTED: &str = "untrusted";
/// Feedback on a completion that is not among the prompt's.
pub const UNKNOWN_COMPLETION: &str = "unknown_completion";
/// Feedback under an alias that several completions carry. Whoever resolves aliases counts it: it reaches no prompt.
pub const AMBIGUOUS_ALIAS: &str = "ambiguous_alias";
/// Feedback that a later item names as superseded.
pub const SUPERSEDED: &str = "superseded";
/// Feedback that a later reaction of the same kind by the same user replaces.
pub const REPLACED: &str = "replaced";
/// Feedback that proves nothing about quality.
pub const NO_EVIDENCE: &str = "no_evidence";

/// Every reason for which an item of feedback was not counted, with the sentence that explains it.
pub const FEEDBACK_REASONS: &[(&str, &str)] = &[
    (UNTRUSTED, "Nothing vouches for it, and only verified feedback counts (`trust`)."),
    (UNKNOWN_COMPLETION, "Its completion is not among the answers that were read."),
    (AMBIGUOUS_ALIAS, "Several completions carry the alias that it names, so that it is about none of them."),
    (SUPERSEDED, "A later item of the same user names it as superseded."),
    (REPLACED, "A later reaction of the same kind by the same user to the same answer replaces it."),
    (NO_EVIDENCE, "Comments, impressions and dwell times say nothing that a row could rest on."),
];
