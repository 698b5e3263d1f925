//! Where something stands in a row: names joined by dots, and numbers for the places of a list.

use crate::domain::json::Json;

/// A path such as `choices.0.message.content`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    /// Reads a path; one with an empty name in it leads nowhere.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_good = !text.is_empty() && text.split('.').all(|name| !name.is_empty());
        is_good.then(|| Self(text.to_owned()))
    }

    /// Finds what stands there; null and an empty text are absences, which tables write both.
    ///
    /// Names of columns hold dots themselves, such as `attributes.llm.model_name`: the longest name that is there goes
    /// first.
    pub(super) fn find<'a>(&self, row: &'a Json) -> Option<&'a Json> {
        find(row, &self.0).filter(|found| !matches!(found, Json::Null) && found.as_str() != Some(""))
    }

    /// Tells whether the path begins at a column of the row.
    pub(super) fn begins_at(&self, column: &str) -> bool {
        self.0.strip_prefix(column).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// Finds what stands at a path, whatever it is.
pub(in crate::foreign) fn find<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    if let Json::Array(items) = value {
        let (place, rest) = path.split_once('.').map_or((path, None), |(place, rest)| (place, Some(rest)));
        let item = items.get(place.parse::<usize>().ok()?)?;
        return rest.map_or(Some(item), |rest| find(item, rest));
    }
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    path.rmatch_indices('.').find_map(|(at, _)| find(value.get(&path[..at])?, &path[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_objects_lists_and_names_with_dots() {
        let row = Json::parse(
            br#"{"a":{"b":[{"c":1},{"c":2}]},"x.y":3,"x.y.z":{"w":4},"x":{"y":5,"q":6},"n":null,"e":"","o":{"p.q":7}}"#,
        )
        .unwrap();
        let find = |path: &str| Path::parse(path).unwrap().find(&row).map(Json::to_text);

        for (path, expected) in [
            ("a.b.1.c", Some("2")),
            ("a.b.2.c", None),
            ("a.b.x", None),
            ("a.b.-1.c", None),
            ("x.y", Some("3")),
            ("x.y.z.w", Some("4")),
            ("x.q", Some("6")),
            ("o.p.q", Some("7")),
            ("n", None),
            ("e", None),
            ("absent.one", None),
        ] {
            assert_eq!(find(path).as_deref(), expected, "{path}");
        }
        for wrong in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(Path::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_column_is_used_by_the_paths_that_begin_at_it() {
        let path = Path::parse("meta.user.id").unwrap();

        assert!(path.begins_at("meta") && path.begins_at("meta.user.id"));
        assert!(!path.begins_at("met") && !path.begins_at("user"));
    }
}
