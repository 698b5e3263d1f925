//! Bands of load and length: where the views of serving and the comparison divide what engines and clients measure.
//!
//! It must not know what is counted in them.

/// A measure that is divided into bands; a band holds its lower end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// Its word on the wire.
    pub name: &'static str,
    /// Where one band ends and the next one begins, ascending.
    pub edges: &'static [f64],
    /// What each band is called.
    pub labels: &'static [&'static str],
}

/// Use of the KV cache as a share, 0 to 1. Below half there is room; from four fifths on few long prompts fill it, and close to
/// the end engines preempt.
pub const KV_USAGE: Bands = Bands {
    name: "kv_usage",
    edges: &[0.5, 0.8, 0.95],
    labels: &["under 50%", "50 to 80%", "80 to 95%", "95% and more"],
};

/// Length of the prompt in tokens.
pub const INPUT_TOKENS: Bands = Bands {
    name: "input_tokens",
    edges: &[512.0, 2048.0, 8192.0],
    labels: &["under 512 tokens", "512 to 2,047 tokens", "2,048 to 8,191 tokens", "8,192 tokens and more"],
};

/// Time to the last token in milliseconds.
pub const LATENCY_MS: Bands = Bands {
    name: "latency_ms",
    edges: &[2_000.0, 5_000.0, 15_000.0, 30_000.0],
    labels: &["under 2 s", "2 to 5 s", "5 to 15 s", "15 to 30 s", "30 s and more"],
};

/// Bins of a map of prompts, in tokens; each is four times as wide as the one before.
pub const INPUT_BINS: Bands = Bands {
    name: "input_tokens",
    edges: &[64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0],
    labels: &["< 64", "64–255", "256–1k", "1k–4k", "4k–16k", "16k–64k", "≥ 64k"],
};

/// Bins of a map of answers, in tokens.
pub const OUTPUT_BINS: Bands = Bands {
    name: "output_tokens",
    edges: &[16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0],
    labels: &["< 16", "16–63", "64–255", "256–1k", "1k–4k", "4k–16k", "≥ 16k"],
};

impl Bands {
    /// Returns how many bands there are.
    pub const fn n(&self) -> usize {
        self.edges.len() + 1
    }

    /// Returns the place of the band that holds a value.
    pub fn place(&self, value: f64) -> usize {
        self.edges.iter().take_while(|edge| value >= **edge).count()
    }

    /// Returns the ends of a band; the first one begins at nothing known, and the last one ends there.
    pub fn ends(&self, place: usize) -> (Option<f64>, Option<f64>) {
        let low = place.checked_sub(1).and_then(|below| self.edges.get(below));
        (low.copied(), self.edges.get(place).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_holds_its_lower_end_and_every_band_has_a_name() {
        let places = [0.0, 0.499, 0.5, 0.79, 0.8, 0.95, 1.0].map(|usage| KV_USAGE.place(usage));

        assert_eq!(places, [0, 0, 1, 1, 2, 3, 3]);
        assert_eq!((KV_USAGE.ends(0), KV_USAGE.ends(3)), ((None, Some(0.5)), (Some(0.95), None)));
        for bands in [KV_USAGE, INPUT_TOKENS, LATENCY_MS, INPUT_BINS, OUTPUT_BINS] {
            assert_eq!(bands.labels.len(), bands.n(), "{}", bands.name);
            assert!(bands.edges.is_sorted(), "{}", bands.name);
        }
    }
}
