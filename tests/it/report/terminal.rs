//! The text form, as somebody at a terminal sees it.

use afterword::report::text::to_text;

use super::samples;

fn sample(name: &str) -> afterword::report::comparison::Comparison {
    samples::all().into_iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (name, comparison) in samples::all() {
        if matches!(name, "long_names" | "hostile" | "rich_hostile") {
            continue;
        }
        for width in [20, 60, 72, 80, 100, 120, 300] {
            let widest = to_text(&comparison, width, false).lines().map(|line| line.chars().count()).max().unwrap();

            assert!(
                widest <= width.clamp(60, 120),
                "{name} at {width}: {widest}\n{}",
                to_text(&comparison, width, false)
            );
        }
    }
}

#[test]
fn the_answer_stands_first_and_a_colour_says_nothing_alone() {
    for (name, comparison) in samples::all() {
        let plain = to_text(&comparison, 80, false);
        let coloured = to_text(&comparison, 80, true);

        let code = comparison.verdict.code.as_str().replace('_', " ");
        assert!(plain.lines().nth(1).unwrap().starts_with(&format!("│ {code} ")), "{name}: {plain}");
        assert!(!plain.contains('\u{1b}'), "{name}");
        assert_eq!(without_colours(&coloured), plain, "{name}");
    }
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn limits_stand_below_each_other_and_an_interval_that_passed_stays_right_of_them() {
    let text = to_text(&sample("switch"), 100, false);
    let header = text.lines().find(|line| line.contains("better →")).expect("a forest plot");
    let limit = header.split("limit").next().unwrap().chars().count() + 2;

    let rows: Vec<&str> = text.lines().filter(|line| line.contains('┊')).collect();
    assert!(rows.len() >= 2, "{text}");
    for row in rows {
        let columns: Vec<char> = row.chars().collect();
        assert_eq!(columns[limit], '┊', "{text}");
        if row.contains("✓ within limit") || row.contains("▲ better") {
            let low = columns.iter().position(|&mark| mark == '├').unwrap();
            assert!(low > limit, "{text}");
        }
    }
}

#[test]
fn an_invalid_comparison_shows_why_and_no_result() {
    let text = to_text(&sample("invalid"), 80, false);

    assert!(text.contains("FAIL"), "{text}");
    assert!(!text.contains("better →") && !text.contains("Turns per"), "{text}");
}

#[test]
fn a_name_cannot_move_the_cursor() {
    let mut comparison = sample("lean_keep");
    comparison.candidate.name = "evil\u{1b}[2J\u{202e}\r\nname".to_owned();
    comparison.candidate.model = None;
    comparison.verdict.sentence = "Keep old. evil\u{1b}[2J loses.".to_owned();

    let text = to_text(&comparison, 80, false);

    assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{text:?}");
    assert!(text.contains("evil"));
}

#[test]
fn every_check_is_named_and_what_did_not_pass_says_why() {
    for (name, comparison) in samples::all() {
        let text = to_text(&comparison, 120, false);
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");

        for check in &comparison.checks {
            let title = check.title.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(&title), "{name}: {title}");
        }
    }
}

#[test]
fn the_way_of_the_difference_and_every_other_figure_are_drawn() {
    let text = to_text(&sample("rich"), 80, false);

    let chart: Vec<&str> = text.lines().filter(|line| line.contains('┤') && line.contains('▒')).collect();
    assert!(chart.len() >= 3 && chart.iter().any(|line| line.contains('●')), "{text}");
    let code = text.lines().find(|line| line.starts_with("code ")).expect("a segment");
    assert!(code.contains("−4.61 [−6.88, −2.34]") && code.contains("HARM"), "{code}");
    for words in [
        "like for like",
        "▓+0.31",
        "rank 1-2",
        "saves $6.10 per 1000 turns [5.90, 6.30]",
        "odds ratio 1.19 [0.93, 1.51]",
        "1.62 times as loud",
        "overlap 62%",
        "97% of 200 weightings",
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words}\n{text}");
    }
}

#[test]
fn what_was_not_computed_is_not_named() {
    let text = to_text(&sample("switch"), 80, false);

    for words in ["day by day", "computed otherwise", "Candidates", "Index:", "Money:", "Thumbs:", "Cache use"] {
        assert!(!text.contains(words), "{words}\n{text}");
    }
    let withheld = to_text(&sample("rich_invalid"), 80, false);
    assert!(!withheld.contains("Index:") && !withheld.contains('▒'), "{withheld}");
}

/// The texts of examples are for the page and the wire; a terminal shows none of them.
#[test]
fn a_value_of_a_segment_cannot_move_the_cursor_either() {
    let mut comparison = sample("rich");
    for segment in &mut comparison.depth.segmentations[0].segments {
        segment.value = "x\u{1b}[2J\r日本語日本語日本語".to_owned();
    }
    comparison.depth.candidates[0].name = "y\u{1b}[2J".to_owned();

    let text = to_text(&comparison, 80, false);

    assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
}
