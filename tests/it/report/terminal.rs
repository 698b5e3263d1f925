//! The text form, as somebody at a terminal sees it.

use afterword::report::text::to_text;

use super::samples;

fn sample(name: &str) -> afterword::report::comparison::Comparison {
    samples::all().into_iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (name, comparison) in samples::all() {
        if matches!(name, "long_names" | "hostile") {
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
