//! The renderings tell the same numbers: what one shows, the others hold.

use afterword::report::comparison::Comparison;
use afterword::report::html::to_html;
use afterword::report::json::to_json;
use afterword::report::vega_lite::{SCHEMA, to_vega_lite};
use afterword::stats::Interval;
use proptest::prelude::*;
use serde_json::Value;

use super::page::{Page, holds, numbers};
use super::{rich, samples};

/// Shifts and widens every difference, so that no number is one that the sample chose.
fn moved(shift: f64, factor: f64) -> Comparison {
    let mut comparison = rich::rich();
    let change = |interval: &mut Option<Interval>| {
        if let Some(Interval { low, high }) = interval {
            (*low, *high) = (*low * factor + shift, *high * factor + shift);
        }
    };
    for metric in &mut comparison.metrics {
        metric.difference.estimate = metric.difference.estimate.map(|value| value * factor + shift);
        change(&mut metric.difference.interval);
    }
    for point in comparison.depth.series.iter_mut().flat_map(|series| &mut series.points) {
        point.estimate = point.estimate.map(|value| value * factor + shift);
        change(&mut point.fixed);
        change(&mut point.anytime);
    }
    for segment in comparison.depth.segmentations.iter_mut().flat_map(|found| &mut found.segments) {
        segment.estimate = segment.estimate.map(|value| value * factor + shift);
        change(&mut segment.interval);
    }
    comparison
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_the_page_shows_the_wire_holds_and_the_plot_plots(shift in -0.02..0.02, factor in 0.2..3.0) {
        let comparison = moved(shift, factor);
        let wire = to_json(&comparison);
        let told = numbers(&wire);
        let page = Page::read(&to_html(&comparison)).map_err(TestCaseError::fail)?;

        let funnel = numbers(&page.data()["figures"]);
        for element in page.named("data") {
            let value: f64 = element.attribute("value").and_then(|value| value.parse().ok()).expect("a number");
            prop_assert!(holds(&told, value) || holds(&funnel, value), "{} is not on the wire", element.text);
        }
        let plotted = to_vega_lite(&comparison);
        for (metric, row) in comparison.metrics.iter().zip(plotted["vconcat"][0]["data"]["values"].as_array().unwrap()) {
            let expected = metric.difference.estimate.unwrap() * 100.0;
            prop_assert!((row["estimate_points"].as_f64().unwrap() - expected).abs() < 1e-9);
        }
    }
}

#[test]
fn the_wire_has_every_part_and_none_where_nothing_was_computed() {
    let full = to_json(&rich::rich())["depth"].clone();
    let empty = to_json(&samples::switch())["depth"].clone();

    let full = full.as_object().unwrap();
    assert_eq!(full.len(), 17);
    // A reason for having no answers to show is there where there are none.
    for (name, part) in full.iter().filter(|(name, _)| *name != "disagreements_note") {
        assert!(!part.is_null() && part.as_array().is_none_or(|list| !list.is_empty()), "{name} is missing");
        let nothing = &empty[name];
        assert!(nothing.is_null() || nothing.as_array().is_some_and(Vec::is_empty), "{name}: {nothing}");
    }
    assert_eq!(full["series"][0]["points"].as_array().unwrap().len(), 28);
    assert_eq!(full["segmentations"][0]["segments"][2]["value"], "code");
    assert_eq!(full["tournament"]["n_wins"][0][1], 259.5);
}

#[test]
fn an_invalid_comparison_tells_who_came_when_and_nothing_else() {
    let comparison = samples::rich_invalid();
    let depth = to_json(&comparison)["depth"].clone();

    for (name, part) in depth.as_object().unwrap() {
        let is_empty = part.is_null() || part.as_array().is_some_and(Vec::is_empty);
        assert_eq!(is_empty, !matches!(name.as_str(), "plan" | "exposure"), "{name}: {part}");
    }
    let page = Page::read(&to_html(&comparison)).unwrap();
    let figures: Vec<_> = page.named("figure").filter_map(|figure| figure.attribute("id")).collect();
    assert_eq!(figures, ["exposure", "arrivals"]);
    let plotted = to_vega_lite(&comparison);
    assert_eq!(numbers(&plotted["vconcat"][0]["data"]), [0.0; 0]);
    assert_eq!(plotted["vconcat"].as_array().unwrap().len(), 1);
}

#[test]
fn every_part_has_its_figure_and_the_page_leads_to_each_section() {
    let page = Page::read(&to_html(&rich::rich())).unwrap();

    let ids = page.ids();
    for id in [
        "over-time-good_turn",
        "segments-0",
        "adjusted-good_turn",
        "index",
        "benefit",
        "frontier",
        "measures",
        "candidates",
        "response",
        "agreement",
        "tournament",
        "arrivals",
        "load",
    ] {
        assert!(ids.contains(&id), "{id} is not drawn");
    }
    let n_sections = page.named("h2").filter(|heading| heading.attribute("id").is_some()).count();
    // The verdict stands above the contents; the footer has no link.
    assert_eq!(page.named("a").count(), n_sections - 1);
    assert!(page.visible_text().contains("harmed beyond the limit"));
}

/// A table of what Vega-Lite asks of a specification: members, marks and types that it knows.
#[test]
fn a_specification_has_the_shape_of_the_grammar() {
    fn check(view: &Value) {
        if let Some(mark) = view.get("mark") {
            let kind = mark.as_str().or_else(|| mark["type"].as_str()).unwrap();
            assert!(["rule", "tick", "point", "area", "line"].contains(&kind), "{kind}");
            for (channel, encoding) in view["encoding"].as_object().unwrap() {
                assert!(["x", "y", "x2", "y2", "shape", "color"].contains(&channel.as_str()), "{channel}");
                assert!(encoding.get("datum").is_some() || encoding["field"].is_string(), "{encoding}");
                let kind = &encoding["type"];
                assert!(kind.is_null() || ["quantitative", "nominal", "temporal"].contains(&kind.as_str().unwrap()));
            }
        }
        for inner in ["vconcat", "layer"].into_iter().filter_map(|name| view[name].as_array()).flatten() {
            check(inner);
        }
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, comparison) in samples::all() {
        let plotted = to_vega_lite(&comparison);

        assert_eq!(plotted["$schema"], SCHEMA);
        check(&plotted);
        std::fs::write(folder.join(format!("{name}.vl.json")), plotted.to_string()).unwrap();
    }
}
