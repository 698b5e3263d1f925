//! Feedback: one recorded reaction to a completion, explicit or implicit.

use super::clock::Timestamp;
use super::fields::FieldError;
use super::hash::ContentHash;
use super::ids::{CompletionId, ConversationId, FeedbackId, UserId};
use super::json::Json;
use super::principal::Trust;

/// The kind of a reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// A thumb up, down, or taken back.
    Thumb,
    /// A rating on a scale.
    Rating,
    /// A choice between two answers to one prompt.
    Preference,
    /// The user's own better answer.
    Edit,
    /// The answer was replaced.
    Regenerate,
    /// The conversation went on.
    Continuation,
    /// The answer was copied.
    Copy,
    /// The answer was used where it was meant to go.
    Accept,
    /// Free text.
    Comment,
    /// The answer was shown.
    Impression,
    /// For how long it was visible.
    Dwell,
}

impl Signal {
    /// Every signal with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("thumb", Self::Thumb),
        ("rating", Self::Rating),
        ("preference", Self::Preference),
        ("edit", Self::Edit),
        ("regenerate", Self::Regenerate),
        ("continuation", Self::Continuation),
        ("copy", Self::Copy),
        ("accept", Self::Accept),
        ("comment", Self::Comment),
        ("impression", Self::Impression),
        ("dwell", Self::Dwell),
    ];

    /// Returns the signal's word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, signal)| *signal == self).map_or("", |(word, _)| word)
    }

    /// Tells whether the user meant it as feedback; only the others are sampled and weighted.
    pub fn is_explicit(self) -> bool {
        matches!(self, Self::Thumb | Self::Rating | Self::Preference | Self::Edit | Self::Comment)
    }
}

/// The state of a thumb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thumb {
    /// Liked.
    Up,
    /// Disliked.
    Down,
    /// Taken back.
    None,
}

impl Thumb {
    /// Every state with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] = &[("up", Self::Up), ("down", Self::Down), ("none", Self::None)];

    /// Returns the state's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::None => "none",
        }
    }
}

/// How the completion did against another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// This completion is the better one.
    Better,
    /// The other one is.
    Worse,
    /// Neither is.
    Tie,
    /// Neither is any good.
    BothBad,
}

impl Outcome {
    /// Every outcome with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("better", Self::Better), ("worse", Self::Worse), ("tie", Self::Tie), ("both_bad", Self::BothBad)];

    /// Returns the outcome's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Tie => "tie",
            Self::BothBad => "both_bad",
        }
    }
}

/// Which of two compared answers was shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShownFirst {
    /// The completion that the preference is tied to.
    This,
    /// The other one.
    Against,
    /// Nobody recorded it.
    Unknown,
}

impl ShownFirst {
    /// Every place with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("this", Self::This), ("against", Self::Against), ("unknown", Self::Unknown)];

    /// Returns the place's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::This => "this",
            Self::Against => "against",
            Self::Unknown => "unknown",
        }
    }
}

/// A reaction with the fields of its own signal, and of no other.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaction {
    /// A thumb.
    Thumb {
        /// Its state.
        value: Thumb,
        /// Stable reason codes.
        reasons: Vec<String>,
        /// Free text beside it.
        comment: Option<String>,
    },
    /// A rating.
    Rating {
        /// The rating scaled to 0..1.
        value: f64,
        /// The points as given, with the ends of their scale.
        points: Option<Points>,
    },
    /// A choice between this completion and another.
    Preference {
        /// The other completion.
        against: CompletionId,
        /// How this one did.
        outcome: Outcome,
        /// How strongly, from 0.
        strength: Option<f64>,
        /// Which was shown first.
        shown_first: ShownFirst,
    },
    /// The user's own better answer.
    Edit {
        /// The edited answer.
        text: String,
        /// Whether the user kept it.
        accepted: bool,
        /// Whether the text was cut on its way; then it never becomes an example.
        truncated: bool,
    },
    /// The answer was replaced.
    Regenerate {
        /// The replacement.
        next_completion_id: Option<CompletionId>,
        /// Why, as a stable code.
        reason: Option<String>,
    },
    /// The conversation went on.
    Continuation {
        /// Place of the next turn.
        turn: Option<i32>,
        /// Time between the answer and the next turn.
        gap_ms: Option<i64>,
        /// The next turn's completion.
        next_completion_id: Option<CompletionId>,
    },
    /// The answer, or a part of it, was copied.
    Copy {
        /// Characters copied.
        n_chars: Option<i32>,
        /// Characters of the whole answer.
        n_total_chars: Option<i32>,
        /// `selection` or `button`.
        method: Option<&'static str>,
        /// Whether code was among it.
        contains_code: Option<bool>,
    },
    /// The answer was used where it was meant to go.
    Accept {
        /// `insert`, `apply` or `send`.
        method: Option<&'static str>,
    },
    /// Free text.
    Comment {
        /// The text.
        text: String,
    },
    /// The answer was shown.
    Impression,
    /// The answer was visible for a while.
    Dwell {
        /// For how long.
        visible_ms: i64,
    },
}

/// Points on a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Points {
    /// The points given.
    pub score: f64,
    /// The lowest that could be given.
    pub min: f64,
    /// The highest that could be given.
    pub max: f64,
}

impl Reaction {
    /// Returns the kind of the reaction.
    pub fn signal(&self) -> Signal {
        match self {
            Self::Thumb { .. } => Signal::Thumb,
            Self::Rating { .. } => Signal::Rating,
            Self::Preference { .. } => Signal::Preference,
            Self::Edit { .. } => Signal::Edit,
            Self::Regenerate { .. } => Signal::Regenerate,
            Self::Continuation { .. } => Signal::Continuation,
            Self::Copy { .. } => Signal::Copy,
            Self::Accept { .. } => Signal::Accept,
            Self::Comment { .. } => Signal::Comment,
            Self::Impression => Signal::Impression,
            Self::Dwell { .. } => Signal::Dwell,
        }
    }
}

impl Reaction {
    /// Returns what the user wrote about the answer, without white space around it; nothing where that leaves nothing.
    pub fn comment(&self) -> Option<&str> {
        let text = match self {
            Self::Comment { text } => Some(text.as_str()),
            Self::Thumb { comment, .. } => comment.as_deref(),
            _ => None,
        };
        text.map(str::trim).filter(|text| !text.is_empty())
    }

    /// Returns the completion that the reaction names beside the one that it is about.
    pub fn other_completion(&self) -> Option<&CompletionId> {
        match self {
            Self::Preference { against, .. } => Some(against),
            Self::Regenerate { next_completion_id, .. } | Self::Continuation { next_completion_id, .. } => {
                next_completion_id.as_ref()
            }
            _ => None,
        }
    }

    /// The same, to give it another name.
    pub fn other_completion_mut(&mut self) -> Option<&mut CompletionId> {
        match self {
            Self::Preference { against, .. } => Some(against),
            Self::Regenerate { next_completion_id, .. } | Self::Continuation { next_completion_id, .. } => {
                next_completion_id.as_mut()
            }
            _ => None,
        }
    }
}

/// A reaction as it arrived, parsed and checked, not yet stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFeedback {
    /// The client's id of the item, kept across its retries.
    pub id: FeedbackId,
    /// The completion that it is about, whether that has arrived or not (LATE-1).
    pub completion_id: CompletionId,
    /// Hash of the item as it was sent, without `age_ms`, which may grow between retries.
    pub content_hash: ContentHash,
    /// What happened.
    pub reaction: Reaction,
    /// The client's time of the reaction.
    pub occurred_at: Option<Timestamp>,
    /// The client's monotonic age of the reaction when it was sent.
    pub age_ms: Option<i64>,
    /// The client's time of sending.
    pub sent_at: Option<Timestamp>,
    /// The client's session.
    pub session_id: Option<String>,
    /// Place in the session.
    pub seq: Option<i64>,
    /// Who reacted.
    pub user: Option<UserId>,
    /// The earlier item that this one replaces.
    pub supersedes: Option<FeedbackId>,
    /// One over the client's sampling rate.
    pub weight: f64,
    /// The client's library and version.
    pub sdk: Option<String>,
}

impl NewFeedback {
    /// Parses one item that stands at `pointer` in a body; everything that is wrong with it comes back at once.
    pub fn from_json(value: Json, pointer: &str) -> Result<Self, Vec<FieldError>> {
        super::feedback_wire::parse(value, pointer)
    }

    /// Returns about how much memory the item takes.
    pub fn n_bytes(&self) -> usize {
        let texts = [self.session_id.as_deref(), self.user.as_ref().map(UserId::as_str), self.sdk.as_deref()];
        let own = match &self.reaction {
            Reaction::Thumb { reasons, comment, .. } => {
                reasons.iter().map(|reason| size_of::<String>() + reason.len()).sum::<usize>()
                    + comment.as_ref().map_or(0, String::len)
            }
            Reaction::Edit { text, .. } | Reaction::Comment { text } => text.len(),
            _ => 0,
        };
        size_of::<Self>()
            + self.completion_id.as_str().len()
            + texts.iter().flatten().map(|text| text.len()).sum::<usize>()
            + own
    }
}

/// A reaction as it is read back; its completion id is the completion's own, aliases resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// The client's id of the item.
    pub id: FeedbackId,
    /// The completion that it is about.
    pub completion_id: CompletionId,
    /// What happened.
    pub reaction: Reaction,
    /// How much it can be trusted.
    pub trust: Trust,
    /// The conversation that its token was granted for: what it says bears on no other one.
    pub granted: Option<ConversationId>,
    /// Who reacted.
    pub user: Option<UserId>,
    /// The client's session.
    pub session_id: Option<String>,
    /// Place in the session.
    pub seq: Option<i64>,
    /// The earlier item that this one replaces.
    pub supersedes: Option<FeedbackId>,
    /// When it happened, by the client's clock corrected where that was off by more than five minutes.
    pub effective_at: Timestamp,
    /// When we received it.
    pub received_at: Timestamp,
}

/// A client's clock is believed as long as it is off by no more than this.
const BELIEVED_SKEW: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// Returns the time by which a reaction is ordered.
///
/// It is the client's `occurred_at`, corrected by the offset between `sent_at` and our time of arrival where that is
/// more than five minutes; without an `occurred_at` it is the arrival less the age that the client measured; never is
/// it later than the arrival. Smaller offsets are left alone: they would fold the network's delay into the order.
pub fn effective_at(feedback: &NewFeedback, received_at: Timestamp) -> Timestamp {
    let claimed = match (feedback.occurred_at, feedback.age_ms) {
        (Some(occurred_at), _) => {
            let skew = feedback.sent_at.map_or(chrono::TimeDelta::zero(), |sent_at| sent_at - received_at);
            if skew.abs() > BELIEVED_SKEW { occurred_at - skew } else { occurred_at }
        }
        (None, Some(age_ms)) => received_at - chrono::TimeDelta::milliseconds(age_ms),
        (None, None) => received_at,
    };
    // Postgres keeps no time from before 4713 BC, which a clock that is wrong enough would reach.
    claimed.clamp(Timestamp::UNIX_EPOCH.min(received_at), received_at)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const RECEIVED: i64 = 1_780_000_000;

    /// A moment so many milliseconds from the arrival.
    fn moment(ms: i64) -> Timestamp {
        Timestamp::from_timestamp(RECEIVED, 0).unwrap() + TimeDelta::milliseconds(ms)
    }

    fn thumb(occurred_at: Option<Timestamp>, age_ms: Option<i64>, sent_at: Option<Timestamp>) -> NewFeedback {
        let text = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","completion_id":"c","signal":"thumb","value":"up"}"#;
        let parsed = NewFeedback::from_json(Json::parse(text.as_bytes()).unwrap(), "").unwrap();
        NewFeedback { occurred_at, age_ms, sent_at, ..parsed }
    }

    #[test]
    fn a_clock_is_corrected_only_where_it_is_off_by_more_than_five_minutes() {
        const MINUTES: i64 = 60_000;
        let some = |ms| Some(moment(ms));
        let rows = [
            ("no times at all", None, None, None, 0),
            ("the client's time", some(-1_000), None, None, -1_000),
            ("sent at once by a good clock", some(-1_000), None, some(0), -1_000),
            ("kept for an hour by a good clock", some(-60 * MINUTES), None, some(-200), -60 * MINUTES),
            ("five minutes slow", some(-5 * MINUTES - 1_000), None, some(-5 * MINUTES), -5 * MINUTES - 1_000),
            ("a little slower", some(-5 * MINUTES - 1_000), None, some(-5 * MINUTES - 1), -999),
            ("five minutes fast", some(5 * MINUTES - 1_000), None, some(5 * MINUTES), 0),
            ("a little faster", some(5 * MINUTES - 1_000), None, some(5 * MINUTES + 1), -1_001),
            ("a day fast, and kept for an hour", some(1_380 * MINUTES), None, some(1_440 * MINUTES), -60 * MINUTES),
            ("a day slow, and kept for an hour", some(-1_500 * MINUTES), None, some(-1_440 * MINUTES), -60 * MINUTES),
            ("later than it was sent", some(9 * MINUTES), None, some(8 * MINUTES), 0),
            ("in the future, nothing said of sending", some(9 * MINUTES), None, None, 0),
            ("an age alone", None, Some(1_500), None, -1_500),
            ("an age beside a time", some(-1_000), Some(90_000), some(0), -1_000),
        ];
        for (name, occurred_at, age_ms, sent_at, expected) in rows {
            let effective = effective_at(&thumb(occurred_at, age_ms, sent_at), moment(0));

            assert_eq!(effective, moment(expected), "{name}");
        }
    }

    #[test]
    fn no_clock_is_so_wrong_that_its_time_cannot_be_kept() {
        let first: Timestamp = "0000-01-01T00:00:00Z".parse().unwrap();
        let last: Timestamp = "9999-12-31T23:59:59.999999Z".parse().unwrap();
        for (occurred_at, sent_at) in [(first, None), (first, Some(last)), (last, Some(first)), (last, None)] {
            let effective = effective_at(&thumb(Some(occurred_at), None, sent_at), moment(0));

            assert!((Timestamp::UNIX_EPOCH..=moment(0)).contains(&effective), "{occurred_at} {sent_at:?} {effective}");
        }
    }
}
