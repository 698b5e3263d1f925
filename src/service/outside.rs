//! What recipes may reach beyond the database and the place for files: only what the operator has named.

use std::path::{Component, Path, PathBuf};

use futures_util::future::join_all;

use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::recipe::Options;
use crate::hook::Hooks;

/// What the operator lets recipes reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// URLs of hooks, each as a recipe must write it.
    pub hook_urls: Vec<String>,
    /// Directory of benchmark files, for recipes that come over the network.
    pub benchmarks_dir: Option<PathBuf>,
}

/// Where the benchmark files of a recipe may lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BenchmarkPlace {
    /// Wherever whoever runs the command may read: paths are the command line's.
    Anywhere,
    /// Below a directory of the operator's; nowhere without one.
    Below(Option<PathBuf>),
}

impl Outside {
    /// Finds what a recipe asks for and may not have, one fault for each.
    pub fn check(&self, options: &Options, place: &BenchmarkPlace) -> Vec<FieldError> {
        let mut faults = Vec::new();
        for (name, url) in [("pii_url", &options.pii_url), ("safety_url", &options.safety_url)] {
            if !url.is_empty() && !self.hook_urls.contains(url) {
                let detail = "must be one of the URLs of `exports.hook_urls` in the service's configuration";
                faults.push(FieldError::new(format!("/options/{name}"), FieldCode::NotOneOf, detail));
            }
        }
        for (nth, path) in options.decontaminate.iter().enumerate() {
            let pointer = format!("/options/decontaminate/{nth}");
            match place.resolve(path) {
                Some(path) if path.is_file() => {}
                Some(path) => {
                    let detail =
                        if path.exists() { "is no file" } else { "does not exist where benchmark files are read" };
                    faults.push(FieldError::new(pointer, FieldCode::NotOneOf, detail));
                }
                None => {
                    let detail = "must be the relative path of a file below the directory that the service's \
                                  configuration names in `exports.benchmarks_directory`";
                    faults.push(FieldError::new(pointer, FieldCode::UnsafePath, detail));
                }
            }
        }
        faults
    }
}

impl BenchmarkPlace {
    /// Returns the file that a recipe's path stands for, if it may.
    pub fn resolve(&self, path: &str) -> Option<PathBuf> {
        match self {
            Self::Anywhere => Some(PathBuf::from(path)),
            Self::Below(None) => None,
            Self::Below(Some(root)) => {
                let is_below = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
                let found = is_below.then(|| root.join(path))?;
                // A link may lead out of the directory; what is not there is for the caller to tell.
                match (found.canonicalize(), root.canonicalize()) {
                    (Ok(real), Ok(root)) => real.starts_with(root).then_some(found),
                    _ => Some(found),
                }
            }
        }
    }
}

/// Looks at everything that recipes may reach, for a person: whether benchmark files can be read, and whether each hook
/// answers. No text is sent.
pub async fn examine(outside: &Outside) -> Vec<(&'static str, Result<String, String>)> {
    let mut found = Vec::new();
    if let Some(directory) = &outside.benchmarks_dir {
        let shown = directory.display();
        found.push((
            "benchmarks",
            match std::fs::read_dir(directory) {
                Ok(_) => Ok(format!("{shown} can be read")),
                Err(error) => Err(format!("{shown} cannot be read: {}", error.kind())),
            },
        ));
    }
    let looks = outside.hook_urls.iter().map(|url| async move {
        // What stands behind the address may be a secret.
        let shown = url.split(['?', '#']).next().unwrap_or_default();
        let looked = match Hooks::new() {
            Ok(hooks) => hooks.look(url).await,
            Err(error) => Err(error),
        };
        ("hook", looked.map(|()| format!("{shown} answers")).map_err(|error| format!("{shown}: {error}")))
    });
    found.extend(join_all(looks).await);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_reaches_only_what_the_operator_has_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("sets")).unwrap();
        std::fs::write(root.path().join("sets/a.jsonl"), "{}").unwrap();
        std::fs::write(root.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(root.path().join("secret"), root.path().join("sets/link")).unwrap();
        let below = BenchmarkPlace::Below(Some(root.path().join("sets")));
        let outside = Outside { hook_urls: vec!["http://presidio:3000/analyze".to_owned()], benchmarks_dir: None };
        let faults = |options: &Options, place: &BenchmarkPlace| -> Vec<(String, FieldCode)> {
            outside.check(options, place).into_iter().map(|fault| (fault.pointer, fault.code)).collect()
        };
        let naming = |path: &str| Options { decontaminate: vec![path.to_owned()], ..Options::default() };

        assert_eq!(faults(&Options::default(), &below), []);
        assert_eq!(faults(&naming("a.jsonl"), &below), []);
        let first = "/options/decontaminate/0".to_owned();
        for path in ["../secret", "/etc/passwd", "link", "x/../a.jsonl", "./a.jsonl"] {
            assert_eq!(faults(&naming(path), &below), [(first.clone(), FieldCode::UnsafePath)], "{path}");
        }
        assert_eq!(faults(&naming("b.jsonl"), &below), [(first.clone(), FieldCode::NotOneOf)]);
        assert_eq!(faults(&naming("a.jsonl"), &BenchmarkPlace::Below(None)), [(first, FieldCode::UnsafePath)]);
        let absolute = root.path().join("secret").to_string_lossy().into_owned();
        assert_eq!(faults(&naming(&absolute), &BenchmarkPlace::Anywhere), []);
        let asking = Options {
            pii_url: "http://presidio:3000/analyze".to_owned(),
            safety_url: "http://presidio:3000/analyze/x".to_owned(),
            ..Options::default()
        };
        assert_eq!(faults(&asking, &below), [("/options/safety_url".to_owned(), FieldCode::NotOneOf)]);
    }
}
