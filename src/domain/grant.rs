//! What a feedback token grants: whose reactions, to which completions, of which kinds, until when.

use std::collections::BTreeSet;

use super::clock::Timestamp;
use super::feedback::{NewFeedback, Signal};
use super::fields::{FieldCode, FieldError};
use super::hash::ContentHash;
use super::ids::{CompletionId, ConversationId, UserId};

/// What a verified token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose reactions they are.
    pub subject: UserId,
    /// Which completions they may be about.
    pub scope: Scope,
    /// Which kinds they may be of; any where absent.
    pub signals: Option<BTreeSet<Signal>>,
    /// The token's own id.
    pub token_id: String,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// The completions of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// These.
    Completions(BTreeSet<CompletionId>),
    /// Those of a conversation. Which they are is found out by whoever reads, of the completion that an item is about as
    /// of those that it names or regenerates: they may arrive later (LATE-1), and an answer that depended on them would
    /// tell strangers what exists.
    Conversation(ConversationId),
}

impl Grant {
    /// Holds one item that stands at `pointer` to the grant: without a user it becomes the subject's, and whatever is
    /// not granted is told.
    pub fn bind(&self, mut item: NewFeedback, pointer: &str) -> Result<NewFeedback, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut refuse = |name: &str, code, detail| {
            errors.push(FieldError::new(format!("{pointer}/{name}"), code, detail));
        };
        if item.user.as_ref().is_some_and(|user| *user != self.subject) {
            refuse("user", FieldCode::SubjectMismatch, "must be the token's subject, or absent");
        }
        if !self.may_send(item.reaction.signal()) {
            refuse("signal", FieldCode::SignalNotGranted, "must be one of the token's signals");
        }
        if let Scope::Completions(granted) = &self.scope {
            for (name, id) in completions_named(&item) {
                if !granted.contains(id) {
                    refuse(name, FieldCode::CompletionNotGranted, "must be one of the token's completions");
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if item.user.is_none() {
            // The same words of another user are another content (ACK-2).
            item.content_hash = of_subject(item.content_hash, &self.subject);
            item.user = Some(self.subject.clone());
        }
        Ok(item)
    }

    /// Returns the completion that the grant is about, where there is but one.
    pub fn sole_completion(&self) -> Option<&CompletionId> {
        match &self.scope {
            Scope::Completions(ids) if ids.len() == 1 => ids.first(),
            _ => None,
        }
    }

    /// Tells whether reactions of a kind are granted.
    pub fn may_send(&self, signal: Signal) -> bool {
        self.signals.as_ref().is_none_or(|signals| signals.contains(&signal))
    }

    /// Returns the conversation that the grant is limited to, for those who read.
    pub fn conversation(&self) -> Option<&ConversationId> {
        match &self.scope {
            Scope::Conversation(id) => Some(id),
            Scope::Completions(_) => None,
        }
    }
}

/// Every completion that an item would have an effect on, with the field that names it.
fn completions_named(item: &NewFeedback) -> impl Iterator<Item = (&'static str, &CompletionId)> {
    let name = if item.reaction.signal() == Signal::Preference { "against" } else { "next_completion_id" };
    let other = item.reaction.other_completion().map(|other| (name, other));
    [Some(("completion_id", &item.completion_id)), other].into_iter().flatten()
}

fn of_subject(content: ContentHash, subject: &UserId) -> ContentHash {
    let bytes: Vec<u8> = content.0.iter().copied().chain(subject.as_str().bytes()).collect();
    ContentHash::of_bytes("feedback of a subject", &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::json::Json;

    fn grant(scope: Scope, signals: Option<&[Signal]>) -> Grant {
        Grant {
            subject: UserId::parse("u-1").unwrap(),
            scope,
            signals: signals.map(|signals| signals.iter().copied().collect()),
            token_id: "t".to_owned(),
            expires_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn of_completions(ids: &[&str]) -> Scope {
        Scope::Completions(ids.iter().map(|id| CompletionId::parse(id).unwrap()).collect())
    }

    fn item(members: &str) -> NewFeedback {
        let text = format!("{{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"completion_id\":\"c-1\",{members}}}");
        NewFeedback::from_json(Json::parse(text.as_bytes()).unwrap(), "").unwrap()
    }

    #[test]
    fn what_is_not_granted_is_told_with_its_place() {
        let grant =
            grant(of_completions(&["c-1", "c-2"]), Some(&[Signal::Thumb, Signal::Preference, Signal::Regenerate]));
        let thumb = r#""signal":"thumb","value":"up""#;
        for (members, expected) in [
            (thumb.to_owned(), None),
            (format!("{thumb},\"user\":\"u-1\""), None),
            (format!("{thumb},\"user\":\"u-2\""), Some(("/user", FieldCode::SubjectMismatch))),
            (r#""signal":"copy""#.to_owned(), Some(("/signal", FieldCode::SignalNotGranted))),
            (r#""signal":"preference","against":"c-2","outcome":"better""#.to_owned(), None),
            (
                r#""signal":"preference","against":"c-3","outcome":"better""#.to_owned(),
                Some(("/against", FieldCode::CompletionNotGranted)),
            ),
            (
                r#""signal":"regenerate","next_completion_id":"c-3""#.to_owned(),
                Some(("/next_completion_id", FieldCode::CompletionNotGranted)),
            ),
        ] {
            let bound = grant.bind(item(&members), "");

            let told = bound.as_ref().err().map(|errors| (errors[0].pointer.as_str(), errors[0].code));
            assert_eq!(told, expected, "{members}");
            assert!(bound.is_err() || bound.unwrap().user == Some(grant.subject.clone()), "{members}");
        }
        let foreign = Grant { scope: of_completions(&["c-9"]), ..grant };
        assert_eq!(foreign.bind(item(thumb), "/feedback/3").unwrap_err()[0].pointer, "/feedback/3/completion_id");
    }

    #[test]
    fn a_conversation_binds_no_completion_here_but_is_kept_for_the_readers() {
        let grant = grant(Scope::Conversation(ConversationId::parse("v-1").unwrap()), None);

        let bound = grant.bind(item(r#""signal":"preference","against":"c-3","outcome":"tie""#), "");

        assert!(bound.is_ok());
        assert_eq!(grant.conversation().map(ConversationId::as_str), Some("v-1"));
    }

    #[test]
    fn the_same_words_of_two_subjects_are_two_contents() {
        let one = grant(of_completions(&["c-1"]), None);
        let other = Grant { subject: UserId::parse("u-2").unwrap(), ..one.clone() };
        let thumb = item(r#""signal":"thumb","value":"up""#);
        let hash = |grant: &Grant| grant.bind(thumb.clone(), "").unwrap().content_hash;

        assert_eq!(hash(&one), hash(&one));
        assert_ne!(hash(&one), hash(&other));
        assert_ne!(hash(&one), thumb.content_hash);
    }
}
