//! What operators say of the tools that send to the service in a form of their own.

use serde::Deserialize;

use super::error::ConfigError;
use crate::foreign::meaning::Meanings;

/// The section as it is written.
#[derive(Deserialize)]
pub(super) struct RawAdapters {
    score_meanings: String,
}

impl RawAdapters {
    /// Reads the declarations, which commas join.
    pub(super) fn parse(&self) -> Result<Meanings, ConfigError> {
        let expected =
            "declarations joined by commas, such as quality=rating:1:5, verdict=thumb:good:bad, note=comment";
        let mut meanings = Meanings::default();
        for declaration in self.score_meanings.split(',').map(str::trim).filter(|declaration| !declaration.is_empty()) {
            let declared = meanings.declare(declaration);
            declared.map_err(|_| ConfigError::Invalid { key: "adapters.score_meanings", expected })?;
        }
        Ok(meanings)
    }
}
