//! What a card promises to loaders, read out of its head. It reads the form that `export_card` writes, not all of YAML.

use std::collections::BTreeMap;

/// Returns the rows that a card declares for each config and split.
pub(super) fn read_card(text: &str) -> BTreeMap<(String, String), u64> {
    let mut declared = BTreeMap::new();
    let Some(head) = text.strip_prefix("---\n").and_then(|rest| rest.split("\n---").next()) else { return declared };
    let (mut is_inside, mut config, mut split, mut is_splits) = (false, String::new(), String::new(), false);
    for line in head.lines() {
        if !line.starts_with([' ', '-']) {
            is_inside = line == "dataset_info:";
        }
        if !is_inside {
            continue;
        }
        let entry = line.trim_start().trim_start_matches("- ");
        match entry.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("config_name", value)) => (config, is_splits) = (value.to_owned(), false),
            Some(("features", _)) => is_splits = false,
            Some(("splits", _)) => is_splits = true,
            Some(("name", value)) if is_splits => value.clone_into(&mut split),
            Some(("num_examples", value)) if is_splits => {
                if let Ok(n_rows) = value.parse() {
                    declared.insert((config.clone(), split.clone()), n_rows);
                }
            }
            _ => (),
        }
    }
    declared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_every_split_are_read_and_features_are_no_splits() {
        let card = "---\npretty_name: x\ndataset_info:\n- config_name: a\n  features:\n  - name: train\n    dtype: string\n  \
                    splits:\n  - name: train\n    num_bytes: 9\n    num_examples: 3\n  - name: test\n    num_bytes: 1\n    \
                    num_examples: 1\n  download_size: 5\n- config_name: b\n  features:\n  - name: prompt\n  splits:\n  \
                    - name: train\n    num_examples: 7\nconfigs:\n- config_name: a\n---\n\n  splits:\n  num_examples: 1\n";

        let declared = read_card(card);

        let row = |config: &str, split: &str, n| ((config.to_owned(), split.to_owned()), n);
        assert_eq!(declared, BTreeMap::from([row("a", "train", 3), row("a", "test", 1), row("b", "train", 7)]));
        assert!(read_card("# no head").is_empty());
    }
}
