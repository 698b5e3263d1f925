//! Schemas of stored completions and feedback as they are looked at.

use serde_json::{Value, json};

use super::words::{all, boolean, described, moment, named, nullable, number, object, required, total, uuid, words_of};
use crate::domain::feedback::Signal;
use crate::domain::principal::Trust;

fn text() -> Value {
    json!({ "type": "string" })
}

/// A completion with its feedback and its label.
pub(super) fn completion() -> Value {
    let label = object(vec![
        required("verdict", words_of(["positive", "negative", "none"])),
        required("rule", text()),
        required("n_votes", total()),
        required("strength", number(0.0, 1.0)),
    ]);
    let mut schema = object(vec![
        required("id", text()),
        required("model", text()),
        required("received_at", moment()),
        required("label", described(nullable(label), "Null where there is more feedback than is read.")),
        required("feedback", all(&named("FeedbackItem"))),
    ]);
    for name in ["requested_model", "conversation_id", "user", "experiment", "variant", "task", "language"] {
        schema["properties"][name] = text();
    }
    for name in ["prompt", "response", "tools", "params"] {
        schema["properties"][name] = described(json!({}), "For analysts only, as it came.");
    }
    for name in ["tags", "usage", "timing", "consent"] {
        schema["properties"][name] = json!({ "type": "object" });
    }
    schema["properties"]["serving"] = super::serving::of_completion();
    schema
}

/// A page of completions.
pub(super) fn completions() -> Value {
    object(vec![
        required("completions", all(&named("CompletionItem"))),
        required("next_cursor", nullable(text())),
        required("trust", named("TrustRule")),
    ])
}

/// A stored reaction; the members of its signal are those that it was sent with.
pub(super) fn feedback_item() -> Value {
    let mut schema = object(vec![
        required("id", uuid()),
        required("completion_id", text()),
        required("signal", words_of(Signal::WORDS.iter().map(|(word, _)| *word))),
        required("trust", words_of(Trust::WORDS.iter().map(|(word, _)| *word))),
        required("effective_at", described(moment(), "What reactions are ordered by.")),
        required("received_at", moment()),
    ]);
    for (name, own) in [
        ("user", text()),
        ("session_id", text()),
        ("seq", total()),
        ("supersedes", uuid()),
        ("occurred_at", moment()),
        ("sent_at", moment()),
        ("age_ms", total()),
        ("accepted", boolean()),
        ("alias", described(text(), "The name under which it was filed, where that is not the completion's id.")),
        (
            "standing",
            described(
                words_of(["counts", "replaced", "superseded", "untrusted"]),
                "What it is worth among the others on its completion.",
            ),
        ),
    ] {
        schema["properties"][name] = own;
    }
    schema
}

/// A page of feedback.
pub(super) fn feedback() -> Value {
    object(vec![required("feedback", all(&named("FeedbackItem"))), required("next_cursor", nullable(text()))])
}
