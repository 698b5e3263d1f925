//! Properties of the parser of pages: it never panics, never loses a good line, and reads back what was written.

use afterword::engine::exposition::{MAX_PAGE_BYTES, Page, PageTooLong};
use afterword::engine::maps::{Engine, MetricMap};
use afterword::engine::orca::ReplyLoad;
use afterword::engine::reading::Readings;
use afterword::engine::selector::Term;
use afterword::engine::{slots, target};
use proptest::prelude::*;

/// A line as an engine may write it, and what it says.
#[derive(Debug, Clone)]
struct Line {
    text: String,
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn value() -> impl Strategy<Value = (String, f64)> {
    prop_oneof![
        any::<f64>().prop_map(|value| (value.to_string(), value)),
        (-1000_i32..1000).prop_map(|value| (format!("{value}e-2"), f64::from(value) / 100.0)),
        Just(("+Inf".to_owned(), f64::INFINITY)),
        Just(("-Inf".to_owned(), f64::NEG_INFINITY)),
        Just(("NaN".to_owned(), f64::NAN)),
    ]
}

prop_compose! {
    fn line()(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
        labels in prop::collection::vec(("[a-zA-Z_][a-zA-Z0-9_]{0,8}", "[^\r\0]{0,12}"), 0..5),
        (written, value) in value(),
        blank in "[ \t]{1,2}",
        (comma, lead) in (prop_oneof![Just(""), Just(","), Just(" , ")], "[ \t]{0,1}"),
        tail in prop_oneof![
            Just(""), Just(" 1790000000000"), Just(" 17.5"), Just(" # {trace_id=\"a # b\"} 0.5 17.5"), Just(" "),
        ],
        end in prop_oneof![Just("\n"), Just("\r\n")],
    ) -> Line {
        let inside: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels_text = match inside.is_empty() {
            true if comma.is_empty() => String::new(),
            true => "{}".to_owned(),
            false => format!("{{{}{comma}}}", inside.join(", ")),
        };
        let text = format!("{lead}{name}{labels_text}{blank}{written}{tail}{end}");
        Line { text, name, labels, value }
    }
}

fn all(page: &[u8]) -> Page<'_> {
    Page::parse(page, |_| true).unwrap()
}

proptest! {
    #[test]
    fn a_good_line_is_read_whatever_stands_around_it(
        lines in prop::collection::vec((line(), "[^\n]{0,30}"), 1..20),
    ) {
        let mut page = String::new();
        for (good, junk) in &lines {
            page.push_str(&good.text);
            // Half a line, a comment, or words of another format; its first letter begins no metric.
            page.extend(["<", junk, "\n"]);
        }

        let read = all(page.as_bytes());

        prop_assert_eq!(read.n_skipped, lines.len());
        prop_assert_eq!(read.samples.len(), lines.len());
        for (sample, (line, _)) in read.samples.iter().zip(&lines) {
            prop_assert_eq!(sample.name, &line.name);
            let labels: Vec<_> = sample.labels.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
            prop_assert_eq!(&labels, &line.labels);
            prop_assert!(sample.value.to_bits() == line.value.to_bits() || (sample.value.is_nan() && line.value.is_nan()));
        }
    }

    #[test]
    fn nothing_that_an_engine_sends_panics(bytes in prop::collection::vec(any::<u8>(), 0..600), text in "\\PC{0,200}") {
        for (_, engine) in Engine::WORDS {
            let _read = Readings::of_page(&bytes, &MetricMap::of(engine));
        }
        let _page = all(text.as_bytes());
        let _slots = (slots::kv_cache_usage(&bytes), slots::kv_cache_usage(text.as_bytes()));
        let _term = (Term::parse(&text), target::TargetUrl::parse(&text), target::ModelNames::parse(&text));
        let load = ReplyLoad::parse(&text);
        prop_assert!(load.kv_cache_usage.is_none_or(|share| (0.0..=1.0).contains(&share)));
    }

    #[test]
    fn a_broken_page_of_an_engine_never_gives_an_impossible_number(
        cut in 0_usize..2000, byte in any::<u8>(), at in 0_usize..2000,
    ) {
        let mut page = include_bytes!("../../fixtures/metrics/vllm.prom").to_vec();
        let n_bytes = page.len();
        page[at % n_bytes] = byte;
        page.truncate(cut.max(1));

        for reading in Readings::of_page(&page, &MetricMap::of(Engine::Vllm)).unwrap().readings {
            for (_, signal) in afterword::engine::maps::Signal::WORDS {
                if let Ok(value) = reading.value(signal) {
                    prop_assert!(value.is_finite() && value >= 0.0 && (!signal.is_share() || value <= 1.0));
                }
            }
        }
    }
}

#[test]
fn a_page_that_is_too_long_is_refused_and_the_longest_is_not() {
    let page = vec![b'\n'; MAX_PAGE_BYTES + 1];

    assert_eq!(Page::parse(&page, |_| true), Err(PageTooLong));
    assert_eq!(all(&page[1..]).samples, []);
}

#[test]
fn a_line_that_is_no_text_is_skipped_and_only_that() {
    let page = b"a{x=\"\xff\"} 1\nb 2\n";

    let read = all(page);

    assert_eq!((read.n_skipped, read.samples.len(), read.samples[0].name), (1, 1, "b"));
}

#[test]
fn an_unknown_escape_stands_for_itself() {
    let read = all(br#"a{x="C:\dir\\n"} 1"#);

    assert_eq!(read.samples[0].label("x"), Some(r"C:\dir\n"));
}
