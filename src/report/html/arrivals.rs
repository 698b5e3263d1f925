//! Who came when: units on either side by the day of their first exposure.

use super::figure::{self, Drawing, Figure, Sheet};
use super::plot::Plot;
use super::{numbers, words};
use crate::report::comparison::Comparison;
use crate::report::comparison::over_time::ExposureDay;
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Days};

/// Days that the table shows at most.
const MOST_ROWS: usize = 7;

/// Makes the figure, where days are known.
pub(super) fn figure(comparison: &Comparison) -> Option<Element> {
    let days = &comparison.depth.exposure;
    if days.len() < 2 {
        return None;
    }
    let unit = comparison.unit.as_str();
    let n = |count: fn(&ExposureDay) -> u64| days.iter().map(count).sum::<u64>();
    let finding = format!(
        "{} on the control’s side and {} on the candidate’s came on {}.",
        words::counted(n(|day| day.n_control), unit),
        words::counted(n(|day| day.n_candidate), unit),
        words::counted(days.len() as u64, "day")
    );
    let key = figure::reading(
        "Both lines grow alike where assignment works; a day on which they part is where to look for the cause. The \
         candidate’s line is dashed.",
    );
    let title = format!("{unit}s by the day of their first exposure, added up");
    Some(
        Figure { id: "arrivals", title: &title, finding: &finding, key: Some(key) }
            .half(|sheet| draw(days, sheet), [table(days)]),
    )
}

fn added_up(days: &[ExposureDay], count: fn(&ExposureDay) -> u64) -> Vec<u64> {
    let mut total = 0;
    days.iter()
        .map(|day| {
            total += count(day);
            total
        })
        .collect()
}

fn draw(days: &[ExposureDay], sheet: Sheet) -> Drawing {
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Drawing { marks: Vec::new(), height: 1.0 };
    };
    let sides = [
        ("control-line", "control", added_up(days, |day| day.n_control)),
        ("candidate-line", "candidate", added_up(days, |day| day.n_candidate)),
    ];
    let most = sides.iter().filter_map(|(_, _, totals)| totals.last()).copied().max().unwrap_or(1);
    let plot = Plot::new(sheet, (22.0, 140.0), (0.0, 1.0), (0.0, 1.08 * most as f64));
    let axis = Days::new(first.day, last.day, plot.x.range());
    let mut marks = plot.rules(|tick| words::count(tick.max(0.0).round() as u64));
    for (index, (class, name, totals)) in sides.iter().enumerate() {
        let line: Vec<(f64, f64)> =
            days.iter().zip(totals).map(|(day, &total)| (axis.place(day.day), plot.level(total as f64))).collect();
        marks.push(svg::polyline(class, &line));
        let x = plot.x.range().0 + 8.0;
        let y = 36.0 + 18.0 * index as f64;
        marks.push(svg::polyline(class, &[(x, y - 4.0), (x + 26.0, y - 4.0)]));
        marks.push(svg::text("small", (x + 32.0, y), Anchor::Start, name));
    }
    marks.push(svg::text("note", (0.0, 12.0), Anchor::Start, "units so far"));
    let ticks = axis.ticks(sheet.pick(6, 4)).into_iter().map(|day| (axis.place(day), numbers::short_day(day)));
    marks.extend(plot.feet(ticks));
    Drawing { marks, height: plot.height() }
}

fn table(days: &[ExposureDay]) -> Element {
    let rows = numbers::thinned(days.len(), MOST_ROWS).into_iter().filter_map(|place| days.get(place)).map(|day| {
        Element::new("tr")
            .child(figure::row_header(day.day))
            .child(figure::count_cell(day.n_control))
            .child(figure::count_cell(day.n_candidate))
    });
    let caption = "Units first exposed on a day; where days are many, some of them";
    figure::folded_table("arrivals", caption, &["Day", "Control", "Candidate"], rows)
}
