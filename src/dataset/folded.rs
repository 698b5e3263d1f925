//! Hashes of prompts as they are compared: folded, so that white space and Unicode form tell nobody apart.

use super::example::Turn;
use super::text::{fold, prompt_text};
use crate::domain::hash::ContentHash;

/// Hashes prompts and remembers the last one: rows of one prompt come one after the other, and to compare two prompts
/// byte by byte costs a twentieth of folding one.
#[derive(Debug, Clone, Default)]
pub struct PromptHasher {
    last: Option<(Vec<Turn>, ContentHash)>,
}

impl PromptHasher {
    /// Returns the hash of a prompt's folded text.
    pub fn hash(&mut self, prompt: &[Turn]) -> ContentHash {
        if let Some((last, hash)) = &self.last
            && last.as_slice() == prompt
        {
            return *hash;
        }
        let hash = ContentHash::of_bytes("prompt text", fold(&prompt_text(prompt)).as_bytes());
        self.last = Some((prompt.to_vec(), hash));
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(content: &str) -> Vec<Turn> {
        vec![Turn { role: "user", content: content.to_owned() }]
    }

    #[test]
    fn a_prompt_has_one_hash_whatever_was_hashed_before() {
        let mut hasher = PromptHasher::default();
        let texts = ["a b", "a b", "a  b", "b", "a b", "é", "e\u{301}"];

        let hashes: Vec<ContentHash> = texts.iter().map(|text| hasher.hash(&prompt(text))).collect();

        let alone: Vec<ContentHash> = texts.iter().map(|text| PromptHasher::default().hash(&prompt(text))).collect();
        assert_eq!(hashes, alone);
        assert_eq!((hashes[0], hashes[5]), (hashes[2], hashes[6]), "white space and Unicode form are folded");
        assert_ne!(hashes[0], hashes[3]);
    }
}
