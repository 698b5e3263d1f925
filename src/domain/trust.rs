//! Whose reactions count: what is asked for, what holds where nobody asks, and why.

use serde::Serialize;

use super::clock::Timestamp;
use super::principal::Trust;

/// Whose feedback counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrustFilter {
    /// Only what a backend or a signed token vouches for.
    Verified,
    /// Everything.
    Any,
}

impl TrustFilter {
    /// Every choice with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] = &[("verified", Self::Verified), ("any", Self::Any)];

    /// Returns the choice's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Any => "any",
        }
    }
}

impl Serialize for TrustFilter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Trust {
    /// Tells whether feedback of this tier passes a filter.
    pub fn passes(self, filter: TrustFilter) -> bool {
        filter == TrustFilter::Any || self == Self::Verified
    }

    /// Takes back the trust in a reaction whose token was granted for another conversation than that of the completion.
    /// At the door nobody could tell: the completion may not have arrived (LATE-1).
    #[must_use]
    pub fn within(self, granted: Option<&str>, conversation: Option<&str>) -> Self {
        if granted.is_none() || granted == conversation { self } else { Self::Unverified }
    }
}

/// Why a filter of trust holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustReason {
    /// It was asked for.
    Asked,
    /// The project uses feedback tokens, so that what comes without one stands out.
    TokensUsed,
    /// No feedback token was ever used in the project, so that asking for one would leave out every browser.
    NoTokens,
}

/// Whose reactions a reader counts, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct TrustRule {
    /// What passes.
    pub filter: TrustFilter,
    /// Why.
    pub reason: TrustReason,
}

impl TrustRule {
    /// Settles what was asked for, or else what holds since a feedback token was first used in the project.
    pub fn settle(asked: Option<TrustFilter>, token_used_at: Option<Timestamp>) -> Self {
        match (asked, token_used_at) {
            (Some(filter), _) => Self { filter, reason: TrustReason::Asked },
            (None, Some(_)) => Self { filter: TrustFilter::Verified, reason: TrustReason::TokensUsed },
            (None, None) => Self { filter: TrustFilter::Any, reason: TrustReason::NoTokens },
        }
    }

    /// Says it in a sentence, for cards and reports.
    pub fn sentence(self) -> &'static str {
        match (self.filter, self.reason) {
            (TrustFilter::Verified, TrustReason::Asked) => {
                "Only reactions that a backend or a signed token vouches for are counted, as was asked."
            }
            (TrustFilter::Verified, _) => {
                "Only reactions that a backend or a signed token vouches for are counted, because the project uses \
                 feedback tokens."
            }
            (TrustFilter::Any, TrustReason::Asked) => {
                "Reactions are counted whether or not anybody vouches for them, as was asked."
            }
            (TrustFilter::Any, _) => {
                "Reactions are counted whether or not anybody vouches for them, because the project has never used a \
                 feedback token."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_comes_before_what_the_project_is_used_to() {
        let used = Some(Timestamp::UNIX_EPOCH);
        for (asked, token_used_at, filter, reason) in [
            (None, None, TrustFilter::Any, TrustReason::NoTokens),
            (None, used, TrustFilter::Verified, TrustReason::TokensUsed),
            (Some(TrustFilter::Any), used, TrustFilter::Any, TrustReason::Asked),
            (Some(TrustFilter::Verified), None, TrustFilter::Verified, TrustReason::Asked),
        ] {
            assert_eq!(TrustRule::settle(asked, token_used_at), TrustRule { filter, reason });
        }
    }

    #[test]
    fn a_grant_for_a_conversation_vouches_only_there() {
        for (granted, conversation, expected) in [
            (None, None, Trust::Verified),
            (None, Some("c"), Trust::Verified),
            (Some("c"), Some("c"), Trust::Verified),
            (Some("c"), Some("d"), Trust::Unverified),
            (Some("c"), None, Trust::Unverified),
        ] {
            assert_eq!(Trust::Verified.within(granted, conversation), expected, "{granted:?} {conversation:?}");
        }
        assert_eq!(Trust::Unverified.within(Some("c"), Some("c")), Trust::Unverified);
    }

    #[test]
    fn only_the_verified_passes_where_the_verified_is_asked_for() {
        let passes =
            |trust: Trust| TrustFilter::WORDS.iter().map(|(_, filter)| trust.passes(*filter)).collect::<Vec<_>>();

        assert_eq!([passes(Trust::Verified), passes(Trust::Unverified)], [vec![true, true], vec![false, true]]);
    }
}
