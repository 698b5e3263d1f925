//! What operators say of the tools that send to the service in a form of their own.

use serde::Deserialize;

use super::error::ConfigError;
use crate::foreign::meaning::Meanings;

/// The section as it is written.
#[derive(Deserialize)]
pub(super) struct RawAdapters {
    score_meanings: String,
    max_otlp_body_bytes: usize,
}

/// The section.
pub(super) struct Adapters {
    /// What scores mean.
    pub(super) score_meanings: Meanings,
    /// The largest body of OTLP, in bytes.
    pub(super) max_otlp_body_bytes: usize,
}

impl RawAdapters {
    /// Reads the section, beside how much memory all bodies may take together.
    pub(super) fn parse(&self, max_bytes_of_all_bodies: usize) -> Result<Adapters, ConfigError> {
        if !(1..=max_bytes_of_all_bodies).contains(&self.max_otlp_body_bytes) {
            let expected = "at least 1 byte and at most http.max_bytes_of_all_bodies";
            return Err(ConfigError::Invalid { key: "adapters.max_otlp_body_bytes", expected });
        }
        Ok(Adapters { score_meanings: self.parse_meanings()?, max_otlp_body_bytes: self.max_otlp_body_bytes })
    }

    /// Reads the declarations, which commas join.
    fn parse_meanings(&self) -> Result<Meanings, ConfigError> {
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
