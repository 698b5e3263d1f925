//! Which variant a unit gets: a hash decides, so that everybody who knows the declaration finds the same one without
//! asking anybody, and a unit keeps it for ever.
//!
//! A unit's place is the first 53 bits of SHA-256 over `afterword/assignment/1`, the experiment's key and the unit's id,
//! joined by U+0000, as a fraction of 1. The shares of the variants, in the order of the declaration, are laid end to end
//! from 0; the unit gets the variant whose stretch its place lies in. The key is a part of what is hashed, so that two
//! experiments divide the same people independently of each other.

use sha2::{Digest as _, Sha256};

use super::experiment::{Experiment, Variant};
use super::fields::{FieldCode, FieldError};
use super::query::Query;

/// What is hashed before the key: another way to assign would have another number.
const LABEL: &str = "afterword/assignment/1";
/// Bits of a place: as many as a double holds, so that every language computes the same number.
const PLACE_BITS: u32 = 53;

/// Returns the place of a unit, in `0..1`. Neither the key nor the unit may hold U+0000.
pub fn place(experiment: &str, unit: &str) -> f64 {
    let text = [LABEL, experiment, unit].join("\0");
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let first = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (first >> (u64::BITS - PLACE_BITS)) as f64 / (1_u64 << PLACE_BITS) as f64
}

impl Experiment {
    /// Returns the variant of a unit; nothing for a declaration without variants, which none is.
    pub fn assign(&self, unit: &str) -> Option<&Variant> {
        let place = place(&self.key, unit);
        let mut end = 0.0;
        let within = self.variants.iter().find(|variant| {
            end += variant.share;
            place < end
        });
        // Shares that add up to a hair less than 1 leave a gap at the end.
        within.or(self.variants.last())
    }
}

/// Reads the unit that is asked for out of query parameters, already decoded.
pub fn unit_from_query(pairs: &[(String, String)]) -> Result<String, Vec<FieldError>> {
    let mut query = Query::new(pairs);
    let unit = query.one("unit");
    if unit.is_none() && query.errors.is_empty() {
        query.fail("unit", FieldCode::Required, "is required: the id of the user or conversation");
    }
    query.refuse_unknown();
    match unit {
        Some(unit) if query.errors.is_empty() => Ok(unit),
        _ => Err(query.errors),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::Json;
    use super::*;

    fn experiment(shares: &[f64]) -> Experiment {
        let variants: Vec<String> = shares
            .iter()
            .enumerate()
            .map(|(number, share)| format!(r#"{{"name":"v{number}","share":{share}}}"#))
            .collect();
        let text = format!(r#"{{"key":"llama-swap","control":"v0","variants":[{}]}}"#, variants.join(","));
        Experiment::from_json(Json::parse(text.as_bytes()).unwrap()).unwrap()
    }

    /// Made by Python's `hashlib`, as docs/experiments.md shows; another number here would move everybody to another variant.
    #[test]
    fn places_never_change() {
        for (key, unit, expected) in [
            ("llama-swap", "u-1", PLACE_OF_U_1),
            ("llama-swap", "u-2", PLACE_OF_U_2),
            ("another", "u-1", PLACE_OF_U_1_ELSEWHERE),
            ("llama-swap", "Jürgen ☕", PLACE_OF_JUERGEN),
        ] {
            assert_eq!(place(key, unit).to_bits(), f64::to_bits(expected), "{key} {unit}: {}", place(key, unit));
        }
    }

    const PLACE_OF_U_1: f64 = 0.686_174_949_162_205_9;
    const PLACE_OF_U_2: f64 = 0.158_759_202_889_171_56;
    const PLACE_OF_U_1_ELSEWHERE: f64 = 0.464_127_270_613_941_9;
    const PLACE_OF_JUERGEN: f64 = 0.899_034_211_043_035_5;

    #[test]
    fn units_are_divided_as_planned_and_keep_their_variant() {
        let experiment = experiment(&[0.2, 0.5, 0.3]);
        let mut n_units = [0_u32; 3];
        for number in 0..20_000 {
            let unit = format!("user-{number}");
            let variant = experiment.assign(&unit).unwrap();
            assert_eq!(experiment.assign(&unit), Some(variant));
            n_units[usize::from(variant.name.as_bytes()[1] - b'0')] += 1;
        }

        // Four standard errors of the rarest.
        for (n, share) in n_units.into_iter().zip([0.2, 0.5, 0.3]) {
            assert!((f64::from(n) / 20_000.0 - share).abs() < 0.014, "{n_units:?}");
        }
    }

    #[test]
    fn two_experiments_divide_people_independently() {
        let both = (0..20_000)
            .map(|number| format!("user-{number}"))
            .filter(|unit| place("one", unit) < 0.5 && place("two", unit) < 0.5)
            .count();

        assert!((both as f64 / 20_000.0 - 0.25).abs() < 0.013, "{both}");
    }

    #[test]
    fn a_place_at_a_seam_belongs_to_the_later_variant_and_the_last_one_has_the_rest() {
        let thirds = experiment(&[0.333_333_3, 0.333_333_3, 0.333_333_4]);

        for number in 0..1_000 {
            let unit = format!("user-{number}");
            let (place, name) = (place("llama-swap", &unit), &thirds.assign(&unit).unwrap().name);
            let expected = if place < 0.333_333_3 {
                "v0"
            } else if place < 0.333_333_3 + 0.333_333_3 {
                "v1"
            } else {
                "v2"
            };
            assert_eq!(name, expected, "{place}");
        }
    }
}
