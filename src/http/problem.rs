//! The table of problems: every code that an answer can carry, with its status and its words. It knows no request.

use crate::domain::fields::FieldCode;

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Stable code.
    pub(crate) code: &'static str,
    /// HTTP status; a code has exactly one.
    pub(crate) status: u16,
    /// What went wrong, in a few words.
    pub(crate) title: &'static str,
    /// What to do about it, where the problem itself knows nothing more exact.
    pub(crate) detail: &'static str,
    /// Whether the same request may succeed later.
    pub(crate) retryable: bool,
}

macro_rules! kinds {
    ($($name:ident = $code:literal $status:literal $title:literal, $detail:literal $(, $retryable:ident)?;)+) => {
        $(pub(crate) const $name: &Kind = &Kind {
            code: $code,
            status: $status,
            title: $title,
            detail: $detail,
            retryable: kinds!(@retryable $($retryable)?),
        };)+

        /// Every kind, in the order of the statuses.
        pub(crate) const KINDS: &[&Kind] = &[$($name),+];
    };
    (@retryable) => { false };
    (@retryable retryable) => { true };
}

kinds! {
    MALFORMED_REQUEST = "malformed_request" 400 "The request is malformed", "the request could not be read";
    JSON_MALFORMED = "json_malformed" 400 "The body is not JSON", "the body must be one JSON value in UTF-8";
    DUPLICATE_KEY = "duplicate_key" 400 "A key comes twice", "every key of an object must be unique";
    TOO_DEEP = "too_deep" 400 "The body nests too deep", "arrays and objects may nest at most 32 deep";
    TOO_MANY_VALUES = "too_many_values" 400 "The body holds too many values",
        "a body may hold 500000 values; send fewer items in one request";
    INTEGER_TOO_LARGE = "integer_too_large" 400 "An integer is too large",
        "an integer must fit 64 bits; write a larger one as a string";
    OTLP_MALFORMED = "otlp_malformed" 400 "The body is not OTLP",
        "the body must be an export request of OTLP in the encoding that its Content-Type says";
    OTLP_NONE_ACCEPTED = "otlp_none_accepted" 400 "Nothing of the request was accepted",
        "the message counts the rejections by their codes";
    ENCODING_MALFORMED = "encoding_malformed" 400 "The body does not decompress",
        "the body is not what its Content-Encoding says, or it was cut";
    BODY_INCOMPLETE = "body_incomplete" 400 "The body was cut", "the connection ended before the body did";
    QUERY_MALFORMED = "query_malformed" 400 "The query is malformed",
        "the query must be name=value pairs joined by `&`, percent-encoded UTF-8";
    IDEMPOTENCY_KEY_MALFORMED = "idempotency_key_malformed" 400 "The idempotency key is malformed",
        "Idempotency-Key must be 1 to 255 visible ASCII characters, in double quotes or bare";
    CREDENTIAL_MISSING = "credential_missing" 401 "No credential",
        "send a key as `Authorization: Bearer …`; `afterword key create` makes one";
    CREDENTIAL_INVALID = "credential_invalid" 401 "The credential is not valid",
        "the key or token is unknown, wrong, expired or revoked";
    ROLE_INSUFFICIENT = "role_insufficient" 403 "The key's role is not enough",
        "use a key whose role admits this request";
    SECRET_KEY_IN_BROWSER = "secret_key_in_browser" 403 "A secret key came from a browser",
        "a secret key must not come with an Origin header or inside a body: whoever opens the page can read it; revoke \
         the key and call from your backend";
    ORIGIN_NOT_ALLOWED = "origin_not_allowed" 403 "The page's origin is not allowed",
        "an administrator adds the origin to a publishable key of the project";
    NOT_FOUND = "not_found" 404 "Not found", "there is nothing under this address";
    LINK_INVALID = "link_invalid" 404 "This link cannot be used",
        "it has expired, was taken back, or was cut on its way; nothing was recorded";
    METHOD_NOT_ALLOWED = "method_not_allowed" 405 "The method is not allowed here",
        "the methods of this address are in the Allow header";
    NOT_ACCEPTABLE = "not_acceptable" 406 "No such representation",
        "none of the media types in the Accept header is offered here";
    BODY_TOO_SLOW = "body_too_slow" 408 "The body came too slowly",
        "send the body faster, or in smaller requests", retryable;
    EXPERIMENT_CONFLICT = "experiment_conflict" 409 "The experiment is declared otherwise",
        "an experiment of this key is declared already, with other content; a declaration is never changed: use \
         another key";
    EXPORT_UNFINISHED = "export_unfinished" 409 "The export has not ended",
        "wait until the export has ended";
    PARENT_GONE = "parent_gone" 409 "The parent's rows are not here",
        "the export that `parent` names failed, its files were deleted, or the command line wrote them into a folder: name \
         another one, or compare folders with `afterword export --parent DIR`";
    EXPORT_ENDED = "export_ended" 409 "The export has ended",
        "only an export that is queued or running can be cancelled; one that is completed can be withdrawn";
    TOO_MANY_KEYS = "too_many_keys" 409 "The project has too many keys",
        "a project may have 200 live keys of a kind; revoke those that nobody needs";
    SIGNING_KEY_MISSING = "signing_key_missing" 409 "No key to sign with",
        "the project's signing keys are not HS256, or do not live as long as the token; make one, or mint offline";
    TOO_MANY_REVOCATIONS = "too_many_revocations" 409 "Too many tokens are revoked",
        "a project may have 10000 revoked tokens at once; revoke their signing key instead";
    ERASED = "erased" 410 "The user was erased",
        "nothing of an erased user is taken any more, and no feedback on an erased completion; do not send it again";
    BODY_TOO_LARGE = "body_too_large" 413 "The body is too large", "send fewer or smaller items in one request";
    DECODED_BODY_TOO_LARGE = "decoded_body_too_large" 413 "The decompressed body is too large",
        "send fewer or smaller items in one request";
    COMPRESSION_RATIO_TOO_HIGH = "compression_ratio_too_high" 413 "The body expands too much",
        "send the body without compression, or fewer items in one request";
    MEDIA_TYPE_UNSUPPORTED = "media_type_unsupported" 415 "The body's media type is not supported",
        "send one of the media types in the Accept-Post header";
    CONTENT_ENCODING_UNSUPPORTED = "content_encoding_unsupported" 415 "The body's encoding is not supported",
        "send the body as it is, or with one of the encodings in the Accept-Encoding header";
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable" 416 "The file has none of these bytes",
        "Content-Range says how many bytes the file has; one that was fetched to its end is whole";
    TOO_MANY_ITEMS = "too_many_items" 422 "Too many items", "send at most 500 items in one request";
    NONE_ACCEPTED = "none_accepted" 422 "No item was accepted", "`rejected` says what is wrong with each item";
    CONFLICT = "conflict" 422 "Other content is stored under this id",
        "an id belongs to one content for good; give other content an id of its own";
    UNSTORABLE = "unstorable" 422 "The database refuses the item", "the item holds something that cannot be stored";
    NO_DATA = "no_data" 422 "There is nothing to compare",
        "record completions of both sides first, or widen the selection";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused" 422 "The idempotency key belongs to another request",
        "an Idempotency-Key may be sent again only with the same body";
    REQUIRED = "required" 422 "A required field is absent", "`errors` names the field";
    UNKNOWN_FIELD = "unknown_field" 422 "A field is not known", "`errors` names the object and lists its fields";
    WRONG_TYPE = "wrong_type" 422 "A field has the wrong type", "`errors` names the field and the type";
    EMPTY = "empty" 422 "A field is empty", "`errors` names the field";
    TOO_LONG = "too_long" 422 "A field is too long", "`errors` names the field and its bound";
    OUT_OF_RANGE = "out_of_range" 422 "A number is out of range", "`errors` names the field and its range";
    NUL_CHARACTER = "nul_character" 422 "A text holds U+0000", "U+0000 cannot be stored; leave it out";
    NOT_ONE_OF = "not_one_of" 422 "A word is not among those allowed", "`errors` names the field and its words";
    MALFORMED = "malformed" 422 "A field has the wrong form", "`errors` names the field and its form";
    UNKNOWN_SIGNAL = "unknown_signal" 422 "There is no such signal", "`errors` lists the signals";
    SELF_PREFERENCE = "self_preference" 422 "A completion is preferred to itself",
        "`against` must be another completion than `completion_id`";
    CONTRADICTION = "contradiction" 422 "Two fields exclude each other", "`errors` names the fields";
    MULTIPLE_CHOICES = "multiple_choices" 422 "The response has several choices",
        "send each choice as a completion of its own";
    UNSAFE_PATH = "unsafe_path" 422 "The path could leave its place",
        "a path is relative and its parts are 1 to 64 characters from a-z, 0-9, `_` and `-`";
    UNKNOWN_DESTINATION = "unknown_destination" 422 "There is no such destination",
        "name a destination that the operator has configured, or none; `errors` lists them";
    UNKNOWN_RECIPE = "unknown_recipe" 422 "There is no such recipe",
        "name a shipped recipe (`afterword recipe list` shows them) or send one inline";
    NOTHING_SELECTED = "nothing_selected" 422 "The selection matches nothing",
        "no completion of the project passes the filters of the selection; `errors` names them";
    SUBJECT_MISMATCH = "subject_mismatch" 422 "The token speaks for another user",
        "leave `user` out, or send the token of that user";
    COMPLETION_NOT_GRANTED = "completion_not_granted" 422 "The token does not name the completion",
        "send a token that names every completion of the item";
    SIGNAL_NOT_GRANTED = "signal_not_granted" 422 "The token does not name the signal",
        "send a token that names the signal";
    NOT_A_USER_REACTION = "not_a_user_reaction" 422 "No person gave the score",
        "scores of judges and of code are no reactions; send only what people said";
    RANGE_UNKNOWN = "range_unknown" 422 "The number's scale is not known",
        "declare the scale, or send a thumb: a guess would make praise of what is none";
    TARGET_UNSUPPORTED = "target_unsupported" 422 "The score is not about one completion",
        "name one completion; scores of sessions and runs have no place here";
    TEXT_REDACTED = "text_redacted" 422 "The texts were left out",
        "the sender was told to leave messages out; without prompt and response nothing can be stored";
    QUOTA_EXCEEDED = "quota_exceeded" 429 "The quota is used up",
        "nothing was stored; send the request again after the seconds in Retry-After", retryable;
    INTERNAL_ERROR = "internal_error" 500 "Something broke in the service",
        "it is not your fault; the service's log has the cause under the id in `instance`";
    BUSY = "busy" 503 "Too many requests at once",
        "nothing was stored; send the request again a little later, or to another instance", retryable;
    OVERLOADED = "overloaded" 503 "Too much is waiting to be written",
        "nothing was stored; send the request again a little later", retryable;
    DATABASE_UNAVAILABLE = "database_unavailable" 503 "The database is not available",
        "send the request again a little later; what was stored before stays", retryable;
    DATABASE_TIMEOUT = "database_timeout" 503 "The database did not answer in time",
        "it is not known whether the items were stored; send them again with the same ids", retryable;
    DESTINATION_UNAVAILABLE = "destination_unavailable" 503 "The destination of the export cannot be used",
        "nothing was stored; the operator has to look at the destination: `afterword doctor` tells what is wrong", retryable;
    STORAGE_UNAVAILABLE = "storage_unavailable" 503 "The place for files is not available",
        "send the request again a little later", retryable;
    WRITERS_GONE = "writers_gone" 503 "No ingest writer lives",
        "nothing was stored; they are replaced within a second, and the log tells why they ended", retryable;
    DRAINING = "draining" 503 "The service is stopping", "send the request to another instance", retryable;
    SCHEMA_UNFIT = "schema_unfit" 503 "The database's schema does not fit the program",
        "run `afterword migrate` with the version of the program that serves", retryable;
}

impl Kind {
    /// Finds the kind of a code.
    pub(crate) fn of(code: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.code == code).copied()
    }

    /// Returns the kind of a field's fault.
    pub(crate) fn of_field(code: FieldCode) -> &'static Self {
        Self::of(code.as_str()).unwrap_or(NONE_ACCEPTED)
    }

    /// Returns the kind that stands for an error of the framework's own.
    pub(crate) fn of_status(status: u16) -> &'static Self {
        match status {
            404 => NOT_FOUND,
            405 => METHOD_NOT_ALLOWED,
            408 => BODY_TOO_SLOW,
            413 => BODY_TOO_LARGE,
            415 => MEDIA_TYPE_UNSUPPORTED,
            400..=499 => MALFORMED_REQUEST,
            _ => INTERNAL_ERROR,
        }
    }

    /// Returns the URI that names the kind: a place on the page that the service itself serves.
    pub(crate) fn uri(&self) -> String {
        format!("/problems#{}", self.code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_one_status_and_the_statuses_ascend() {
        let codes: HashSet<&str> = KINDS.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), KINDS.len());
        assert!(KINDS.windows(2).all(|pair| pair[0].status <= pair[1].status));
        for kind in KINDS {
            assert!((400..600).contains(&kind.status), "{}", kind.code);
            assert!(!kind.title.ends_with('.') && !kind.detail.ends_with('.'), "{}", kind.code);
            assert_eq!(kind.retryable, matches!(kind.status, 408 | 429 | 503), "{}", kind.code);
        }
    }

    #[test]
    fn every_fault_of_a_field_is_a_problem_of_its_own() {
        for code in FieldCode::ALL {
            assert_eq!(Kind::of_field(code).code, code.as_str());
            assert_eq!(Kind::of_field(code).status, 422);
        }
    }

    #[test]
    fn every_code_is_documented_with_its_status() {
        let documentation = include_str!("../../docs/api.md");
        for kind in KINDS {
            let row = format!("| `{}` | {} |", kind.code, kind.status);
            assert!(documentation.contains(&row), "docs/api.md lacks a row that begins with {row}");
        }
    }
}
