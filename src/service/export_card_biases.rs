//! The part of the card that says what may bias the rows, in numbers; the rest is in `stats.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::export_bias_counts::Biases;
use super::export_biases::{Share, plain};

/// Writes a table with what is known of each format's rows; nothing where nothing is.
pub(super) fn write_biases(card: &mut String, formats: &BTreeMap<&'static str, Biases>) -> std::fmt::Result {
    let several = formats.len() > 1;
    let mut rows: Vec<(String, String)> = Vec::new();
    for (format, biases) in formats {
        let of = if several { format!(" (`{format}`)") } else { String::new() };
        rows.extend(lines(biases).into_iter().map(|(what, value)| (what + &of, value)));
    }
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(card, "## What may bias the rows\n\n| what | how much |\n| --- | --- |")?;
    for (what, value) in rows {
        writeln!(card, "| {what} | {value} |")?;
    }
    writeln!(card)
}

fn lines(biases: &Biases) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut add = |what: &str, value: String| lines.push((what.to_owned(), value));
    if let Some(noise) = biases.label_noise {
        let (e, low, high) = (100.0 * noise.error_rate, 100.0 * noise.low, 100.0 * noise.high);
        let value = format!("{e:.0}% ({low:.0}% to {high:.0}%), from {} things with two votes or more", noise.n_items);
        add("votes that are wrong", value);
    }
    if let Some(reliability) = biases.reliability {
        let [low, middle, high] = reliability.quartiles.map(|share| 100.0 * share);
        let n_voters = reliability.n_voters;
        let value = format!("a quarter up to {low:.0}%, half up to {middle:.0}%, three quarters up to {high:.0}%");
        add("how often a voter is right", format!("{value}, of {n_voters} voters"));
    }
    if let Some(users) = biases.users.filter(|users| users.n_users > 0) {
        let value = format!("{} of {} users' rows", users.n_rows_of_busiest, users.n_users);
        add("the busiest user has a part in", value);
    }
    for (experiment, shown) in biases.position.iter().flat_map(|position| &position.0) {
        let place = if experiment.is_empty() { String::new() } else { format!(", experiment `{}`", plain(experiment)) };
        add(&format!("the answer that was seen first wins{place}"), share(*shown));
    }
    if let Some(length) = biases.length {
        if let Some(longer) = length.chosen_longer {
            add("the longer answer wins", share(longer));
        }
        let (better, worse) = (length.mean_chosen_chars, length.mean_rejected_chars);
        add("mean length, better and worse answers", format!("{better:.0} and {worse:.0} characters"));
    }
    if let Some(selection) = &biases.selection {
        let all = selection.all;
        let value = format!("{} of {} ({:.1}%)", all.n_with_feedback, all.n_completions, 100.0 * all.rate);
        add("answers with feedback", value);
    }
    if let Some(weights) = biases.weights {
        let value =
            format!("{:.2} to {:.2}, worth {:.0} equal rows", weights.min, weights.max, weights.n_effective_rows);
        add("weights of the rows", value);
    }
    lines
}

fn share(share: Share) -> String {
    let (value, low, high) = (100.0 * share.share, 100.0 * share.low, 100.0 * share.high);
    format!("{value:.0}% of {} ({low:.0}% to {high:.0}%)", share.n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::export_biases::{LabelNoise, Position};

    #[test]
    fn numbers_become_a_table_in_which_no_name_can_break_out_of_its_cell() {
        let shown = Share { n: 10, share: 0.5, low: 0.2, high: 0.8 };
        let biases = Biases {
            label_noise: Some(LabelNoise { n_items: 9, disagreement: 0.2, error_rate: 0.11, low: 0.07, high: 0.17 }),
            position: Some(Position([("a|b`\nc".to_owned(), shown)].into())),
            ..Biases::default()
        };
        let mut card = String::new();

        write_biases(&mut card, &[("preference", biases)].into()).unwrap();

        assert_eq!(
            card,
            "## What may bias the rows\n\n| what | how much |\n| --- | --- |\n\
             | votes that are wrong | 11% (7% to 17%), from 9 things with two votes or more |\n\
             | the answer that was seen first wins, experiment `a?b??c` | 50% of 10 (20% to 80%) |\n\n"
        );
    }

    #[test]
    fn nothing_known_is_nothing_written() {
        let mut card = String::new();

        write_biases(&mut card, &[("prompts", Biases::default())].into()).unwrap();

        assert_eq!(card, "");
    }
}
