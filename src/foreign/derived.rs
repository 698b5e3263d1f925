//! Ids of reactions that their source gives none of ours: the same row twice has the same id, and a changed one another.

use uuid::{Builder, Uuid};

use crate::domain::clock::Timestamp;
use crate::domain::hash::ContentHash;
use crate::domain::json::Json;

/// Where a reaction stands in another tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// The tool.
    pub(super) system: &'a str,
    /// The tool's own key of the record, whatever it is; it need not be a UUID.
    pub(super) key: &'a str,
}

/// Derives an id from the tool, its key of the record and the whole item: of version 7 with the source's time, so that ids
/// grow with it, or of version 8 where the source has none.
///
/// The lower bits are those of BLAKE3, so that two rows meet with a chance of 2⁻⁷⁴ at most.
pub(super) fn derived_id(source: Source<'_>, at: Option<Timestamp>, item: &Json) -> Uuid {
    let hash = ContentHash::of_canonical("foreign feedback", |text| {
        for part in [source.system, source.key] {
            // The lengths keep two parts from being read as two others.
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        item.write_canonical_whole(text);
    });
    let millis = at.and_then(|at| u64::try_from(at.timestamp_millis()).ok());
    match (millis, hash.0.first_chunk::<10>()) {
        (Some(millis), Some(bits)) => Builder::from_unix_timestamp_millis(millis, bits).into_uuid(),
        _ => Builder::from_custom_bytes(hash.0).into_uuid(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_the_source_and_the_content_and_keeps_the_time() {
        let item = |text: &str| Json::parse(text.as_bytes()).unwrap();
        let at = Timestamp::from_timestamp_millis(1_780_000_000_123);
        let source = Source { system: "t", key: "k" };
        let (up, down) = (item(r#"{"value":"up","signal":"thumb"}"#), item(r#"{"signal":"thumb","value":"down"}"#));

        let id = derived_id(source, at, &up);

        assert_eq!(id.get_version_num(), 7);
        assert_eq!(&id.as_bytes()[..6], &1_780_000_000_123_u64.to_be_bytes()[2..]);
        assert_eq!(
            id,
            derived_id(source, at, &item(r#"{"signal":"thumb","value":"up"}"#)),
            "the order of keys is nothing"
        );
        for other in [
            derived_id(source, at, &down),
            derived_id(Source { system: "tk", key: "" }, at, &up),
            derived_id(Source { system: "t", key: "k2" }, at, &up),
            derived_id(source, None, &up),
        ] {
            assert_ne!(id, other);
        }
        assert_eq!(derived_id(source, None, &up).get_version_num(), 8);
        assert_eq!(derived_id(source, None, &up), derived_id(source, None, &up));
    }
}
