//! What somebody says through a link in a mail or a chat: a thumb, read from a form and made a reaction. It knows no page.

use uuid::Builder;

use super::feedback::{NewFeedback, Thumb};
use super::feedback_wire::MAX_COMMENT_BYTES;
use super::fields::FieldError;
use super::grant::Grant;
use super::hash::ContentHash;
use super::ids::{CompletionId, FeedbackId};
use super::json::Json;
use super::query::Query;

/// What can be wrong with an answer, as stable codes; the page says them in words.
pub const REASONS: [&str; 4] = ["incorrect", "incomplete", "off_topic", "unclear"];

const REASON_WORDS: &[(&str, &str)] =
    &[(REASONS[0], REASONS[0]), (REASONS[1], REASONS[1]), (REASONS[2], REASONS[2]), (REASONS[3], REASONS[3])];

/// What a form says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    value: Thumb,
    reasons: Vec<&'static str>,
    comment: Option<String>,
}

/// The last thumb of whom a link was sent to, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: FeedbackId,
    /// Its state.
    pub value: Thumb,
    /// What was wrong.
    pub reasons: Vec<String>,
    /// What was written beside it.
    pub comment: Option<String>,
}

impl Answer {
    /// Reads the fields of a form: `value`, `reason` as often as there are reasons, `comment`. What was left empty was not
    /// said. Reasons say what was wrong, so that beside a thumb up they are boxes that were ticked before.
    pub fn from_form(pairs: &[(String, String)]) -> Result<Self, Vec<FieldError>> {
        let given: Vec<(String, String)> =
            pairs.iter().filter(|(_, value)| !value.trim().is_empty()).cloned().collect();
        let mut form = Query::new(&given);
        let value = form.one("value");
        let value = value.and_then(|word| form.word("value", &word, Thumb::WORDS));
        let mut reasons: Vec<&'static str> = Vec::new();
        for word in form.all("reason") {
            reasons.extend(form.word("reason", &word, REASON_WORDS));
        }
        reasons.sort_unstable();
        reasons.dedup();
        // Forms end lines as no other text here does.
        let comment = form.one_up_to("comment", MAX_COMMENT_BYTES).map(|text| text.replace("\r\n", "\n"));
        form.refuse_unknown();
        if value.is_none() && form.errors.is_empty() {
            form.fail("value", super::fields::FieldCode::Required, "`value` is required: up, down or none");
        }
        match value {
            Some(value) if form.errors.is_empty() => {
                let (reasons, comment) = match value {
                    Thumb::Down => (reasons, comment),
                    Thumb::Up => (Vec::new(), comment),
                    Thumb::None => (Vec::new(), None),
                };
                Ok(Self { value, reasons, comment: comment.map(|text| text.trim().to_owned()) })
            }
            _ => Err(form.errors),
        }
    }

    /// Tells whether that is what is recorded already. With nothing recorded there is nothing to take back either.
    pub fn is_recorded(&self, recorded: Option<&Recorded>) -> bool {
        match recorded {
            Some(recorded) => {
                self.value == recorded.value && self.reasons == recorded.reasons && self.comment == recorded.comment
            }
            None => self.value == Thumb::None,
        }
    }

    /// Makes the reaction to a completion that a link grants, which takes the place of what is recorded.
    ///
    /// The id follows from the link, from what is said and from what it replaces: a form that is sent twice is a duplicate,
    /// and whoever changes their mind and changes it back says something new.
    pub fn to_feedback(
        &self,
        grant: &Grant,
        completion_id: &CompletionId,
        recorded: Option<&Recorded>,
    ) -> Result<NewFeedback, Vec<FieldError>> {
        let text = |text: &str| Json::String(text.to_owned());
        let reasons = self.reasons.iter().map(|reason| text(reason)).collect();
        let mut members = vec![
            ("completion_id".to_owned(), text(completion_id.as_str())),
            ("signal".to_owned(), text("thumb")),
            ("value".to_owned(), text(self.value.as_str())),
            ("reasons".to_owned(), Json::Array(reasons)),
            ("comment".to_owned(), self.comment.as_deref().map_or(Json::Null, text)),
            ("supersedes".to_owned(), recorded.map_or(Json::Null, |recorded| text(&recorded.id.0.to_string()))),
        ];
        let said = Json::Object(members.clone());
        let hash = ContentHash::of_canonical("feedback through a link", |buffer| {
            // A token's id holds no space and so ends here.
            buffer.extend_from_slice(grant.token_id.as_bytes());
            buffer.push(b' ');
            said.write_canonical_whole(buffer);
        });
        let id = Builder::from_custom_bytes(hash.0).into_uuid();
        members.push(("id".to_owned(), text(&id.to_string())));
        grant.bind(NewFeedback::from_json(Json::Object(members), "")?, "")
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Timestamp;
    use super::super::feedback::Reaction;
    use super::super::fields::FieldCode;
    use super::super::grant::Scope;
    use super::super::ids::UserId;
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Answer, FieldCode> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer::from_form(&pairs).map_err(|errors| errors[0].code)
    }

    fn completion_id() -> CompletionId {
        CompletionId::parse("c-1").unwrap()
    }

    fn grant(token_id: &str) -> Grant {
        Grant {
            subject: UserId::parse("u-1").unwrap(),
            scope: Scope::Completions([completion_id()].into()),
            signals: None,
            token_id: token_id.to_owned(),
            expires_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn recorded(feedback: &NewFeedback) -> Recorded {
        let Reaction::Thumb { value, reasons, comment } = feedback.reaction.clone() else { panic!("a thumb") };
        Recorded { id: feedback.id, value, reasons, comment }
    }

    #[test]
    fn a_form_is_read_whole_or_told_what_is_wrong_with_it() {
        let down =
            read(&[("value", "down"), ("reason", "unclear"), ("reason", "incorrect"), ("comment", " So.\r\nNo. ")]);
        let expected =
            Answer { value: Thumb::Down, reasons: vec!["incorrect", "unclear"], comment: Some("So.\nNo.".to_owned()) };
        assert_eq!(down, Ok(expected));
        let up = Ok(Answer { value: Thumb::Up, reasons: vec![], comment: None });
        assert_eq!(read(&[("value", "up"), ("reason", "unclear"), ("comment", "  ")]), up);
        assert_eq!(read(&[("value", "none"), ("comment", "x")]).unwrap().comment, None);
        for (pairs, code) in [
            (vec![], FieldCode::Required),
            (vec![("value", "")], FieldCode::Required),
            (vec![("value", "sideways")], FieldCode::NotOneOf),
            (vec![("value", "up"), ("value", "down")], FieldCode::Contradiction),
            (vec![("value", "down"), ("reason", "ugly")], FieldCode::NotOneOf),
            (vec![("value", "up"), ("comment", "a\0b")], FieldCode::NulCharacter),
            (vec![("value", "up"), ("comment", &"x".repeat(MAX_COMMENT_BYTES + 1))], FieldCode::TooLong),
            (vec![("value", "up"), ("user", "u-2")], FieldCode::UnknownField),
        ] {
            assert_eq!(read(&pairs), Err(code), "{pairs:?}");
        }
        assert!(read(&[("value", "up"), ("comment", &"x".repeat(MAX_COMMENT_BYTES))]).is_ok());
    }

    #[test]
    fn an_id_follows_from_the_link_what_is_said_and_what_it_replaces() {
        let (up, down) = (read(&[("value", "up")]).unwrap(), read(&[("value", "down")]).unwrap());
        let say = |answer: &Answer, link: &str, before: Option<&NewFeedback>| {
            answer.to_feedback(&grant(link), &completion_id(), before.map(recorded).as_ref()).unwrap()
        };

        let first = say(&up, "t", None);
        let second = say(&down, "t", Some(&first));
        let third = say(&up, "t", Some(&second));

        assert_eq!(first, say(&up, "t", None), "the same form again");
        assert_eq!((second.supersedes, third.supersedes), (Some(first.id), Some(second.id)));
        let ids = [first.id, second.id, third.id, say(&up, "other", None).id, say(&down, "t", None).id];
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
        assert_eq!(first.user, Some(UserId::parse("u-1").unwrap()));
        assert!(up.is_recorded(Some(&recorded(&first))) && !down.is_recorded(Some(&recorded(&first))));
        assert!(!up.is_recorded(None) && read(&[("value", "none")]).unwrap().is_recorded(None));
    }
}
