//! What users do by load, length and latency: a small figure for each metric, with its table.

use crate::report::html::figure::{self, Drawing, Figure, Sheet};
use crate::report::html::plot::Plot;
use crate::report::html::words;
use crate::report::markup::Element;
use crate::report::serving::{Banded, BandedMetric, Gap, Measure, Standing};
use crate::report::svg::{self, Anchor, Shape};

/// Makes the section of a measure.
pub(super) fn section(measure: &Measure) -> Element {
    let label = |band: usize| measure.bands.labels.get(band).copied().unwrap_or_default();
    let lead = match (&measure.notice, measure.base) {
        (Some(notice), Some(base)) => format!(
            "Users begin to notice at {}: beside {}, something is worse there for certain, within {}.",
            label(notice.band),
            label(base),
            measure.within
        ),
        (None, Some(base)) => {
            format!("No band is worse than {} for certain, within {}.", label(base), measure.within)
        }
        (_, None) => "No band has enough users to be compared.".to_owned(),
    };
    let id = format!("by-{}", measure.bands.name.replace('_', "-"));
    let mut section = figure::section(&id, &format!("What users do: {}", measure.title.to_lowercase()))
        .child(Element::new("p").class("lead").text(lead))
        .child(key(measure.base.is_some()));
    let mut halves = Element::new("div").class("halves");
    for metric in &measure.metrics {
        halves = halves.child(one(measure, metric, &id));
    }
    section = section.child(halves);
    section
}

fn key(has_base: bool) -> Element {
    let entries = [
        (Standing::Worse, "worse for certain"),
        (Standing::Better, "better for certain"),
        (Standing::Differs, "differs for certain"),
        (Standing::Unclear, "unclear, or too little to compare"),
    ];
    let entry = |(standing, words): (Standing, &str)| {
        let (class, shape) = look(Some(standing));
        Element::new("li").child(figure::sample(class, shape)).text(words)
    };
    let list = Element::new("ul").class("key").children(entries.into_iter().map(entry));
    let words = if has_base {
        "Points are rates over all turns of a band, with 95% intervals. Whether a band differs is decided like for like, by the \
         differences in the tables. This is association and no effect: load was not assigned by chance."
    } else {
        "Points are rates over all turns of a band, with 95% intervals."
    };
    Element::new("div").child(list).child(figure::reading(words))
}

/// Returns colour and shape of what a band's difference says.
fn look(standing: Option<Standing>) -> (&'static str, Shape) {
    match standing {
        Some(Standing::Worse) => ("bad", Shape::TriangleDown),
        Some(Standing::Better) => ("good", Shape::TriangleUp),
        Some(Standing::Differs) => ("ink", Shape::Circle),
        Some(Standing::Unclear) | None => ("open", Shape::Diamond),
    }
}

fn standing(metric: &BandedMetric, band: &Banded) -> Option<Standing> {
    band.difference.map(|gap: Gap| gap.standing(metric.higher_is_better))
}

fn one(measure: &Measure, metric: &BandedMetric, section: &str) -> Element {
    let id = format!("{section}-{}", metric.name.replace('_', "-"));
    let clear = metric.bands.iter().enumerate().find_map(|(place, band)| {
        let standing = standing(metric, band).filter(|it| *it != Standing::Unclear)?;
        let gap = band.difference?;
        let label = measure.bands.labels.get(place)?;
        Some(format!("{}: {} at {label}, {} points.", metric.title, standing.as_str(), words::points(gap.estimate, 1)))
    });
    let has_differences = metric.bands.iter().any(|band| band.difference.is_some());
    let finding = clear.unwrap_or_else(|| {
        let words = if has_differences { "no band differs for certain" } else { "too little to compare bands" };
        format!("{}: {words}.", metric.title)
    });
    let title = format!("{} by {}", metric.title, measure.title.to_lowercase());
    Figure { id: &id, title: &title, finding: &finding, key: None }
        .half(|sheet| draw(measure, metric, sheet), [table(&id, measure, metric)])
}

fn draw(measure: &Measure, metric: &BandedMetric, sheet: Sheet) -> Drawing {
    let ends = metric.bands.iter().filter_map(|band| band.rate.interval).flat_map(|it| [it.low, it.high]);
    let rates = metric.bands.iter().filter_map(|band| band.rate.estimate);
    let (low, high) = ends.chain(rates).fold((1.0_f64, 0.0_f64), |(low, high), it| (low.min(it), high.max(it)));
    let air = (0.1 * (high - low)).max(0.002);
    let domain = if low > high { (0.0, 1.0) } else { ((low - air).max(0.0), (high + air).min(1.0)) };
    let plot = Plot::new(sheet, (10.0, 120.0), (-0.5, measure.bands.n() as f64 - 0.5), domain);
    let n_decimals = usize::from(domain.1 - domain.0 < 0.06);
    let mut marks = plot.rules(|share| words::percent(share, n_decimals));
    let bottom = plot.span().1;
    for (place, band) in metric.bands.iter().enumerate() {
        let x = plot.x.place(place as f64);
        marks.push(svg::text("note", (x, bottom + 16.0), Anchor::Middle, short(measure, place)));
        let Some(rate) = band.rate.estimate else { continue };
        let (class, shape) = look(standing(metric, band));
        if let Some(interval) = band.rate.interval {
            marks.push(svg::upright(class, x, (plot.level(interval.low), plot.level(interval.high))));
        }
        marks.push(svg::mark(class, shape, (x, plot.level(rate)), 5.0));
        if measure.base == Some(place) {
            marks.push(svg::text("note", (x, bottom + 30.0), Anchor::Middle, "base"));
        }
    }
    Drawing { marks, height: bottom + 36.0 }
}

/// Writes a band in a few characters: where it begins.
fn short(measure: &Measure, place: usize) -> String {
    let value = |value: f64| match measure.bands.name {
        "kv_usage" => words::percent(value, 0),
        "latency_ms" => format!("{} s", value / 1000.0),
        _ => words::count(value as u64),
    };
    match measure.bands.ends(place) {
        (None, Some(high)) => format!("< {}", value(high)),
        (Some(low), _) => format!("≥ {}", value(low)),
        (None, None) => String::new(),
    }
}

fn table(id: &str, measure: &Measure, metric: &BandedMetric) -> Element {
    let rows = metric.bands.iter().enumerate().map(|(place, band)| {
        let label = measure.bands.labels.get(place).copied().unwrap_or_default();
        let difference = band.difference;
        let interval = difference.map(|gap| gap.interval);
        let word = match standing(metric, band) {
            Some(standing) => standing.as_str(),
            None if measure.base == Some(place) => "base",
            None => words::DASH,
        };
        Element::new("tr")
            .child(figure::row_header(label))
            .child(figure::count_cell(band.rate.n))
            .child(figure::count_cell(band.rate.n_users))
            .child(figure::cell_with(band.rate.estimate, band.rate.interval, words::share))
            .child(figure::cell_with(difference.map(|gap| gap.estimate), interval, |it| words::points(it, 1)))
            .child(figure::word_cell(word))
    });
    let caption = format!("{}, by {}", metric.title, measure.title.to_lowercase());
    figure::folded_table(id, &caption, &["Band", "Turns", "Users", "Rate", "Difference in points", "Says"], rows)
}
