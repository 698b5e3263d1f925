//! A look at a directory that exports are written to, as somebody has it who knows nothing but what lies there.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Lists what manifests name that is not there, or not as they say.
pub(super) fn audit(root: &Path) -> Vec<PathBuf> {
    let mut wrong = Vec::new();
    for path in files(root).into_iter().filter(|path| path.ends_with("manifest.json")) {
        let folder = path.parent().unwrap();
        let Ok(manifest) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else {
            wrong.push(path);
            continue;
        };
        for file in manifest["files"].as_array().unwrap() {
            let named = folder.join(file["path"].as_str().unwrap());
            let found = std::fs::read(&named).map(|content| hex::encode(Sha256::digest(content)));
            if found.is_ok_and(|sha256| file["sha256"] == sha256) {
                continue;
            }
            wrong.push(named);
        }
    }
    wrong
}

/// Lists the files in a folder and below it.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
