//! Who got which side: planned against observed shares of the units of an experiment.

use super::figure::{self, Drawing, Figure, Sheet};
use super::{arrivals, words};
use crate::report::comparison::Comparison;
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor};

/// Planned and observed shares of control and candidate.
pub(super) struct Exposure {
    /// As declared.
    pub planned: [f64; 2],
    /// As it came; nothing where nobody was served.
    pub observed: Option<[f64; 2]>,
    /// Units of control and candidate.
    pub n_units: [u64; 2],
}

/// Returns the shares, where an experiment planned any.
pub(super) fn exposure(comparison: &Comparison) -> Option<Exposure> {
    let (control, candidate) = comparison.experiment.as_ref()?.planned_shares;
    let n_units = [comparison.control.n_users, comparison.candidate.n_users];
    let n = n_units[0] + n_units[1];
    let observed = (n > 0).then(|| n_units.map(|n_side| n_side as f64 / n as f64));
    Some(Exposure { planned: [control, candidate], observed, n_units })
}

/// Makes the section, where an experiment planned shares.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let exposure = exposure(comparison)?;
    let unit = comparison.unit.as_str();
    let finding = match exposure.observed {
        Some(observed) => format!(
            "{} of {} got the candidate; {} were planned.",
            words::percent(observed[1], 1),
            words::counted(exposure.n_units[0] + exposure.n_units[1], unit),
            words::percent(exposure.planned[1], 1)
        ),
        None => format!(
            "No {unit} was served yet; {} were planned for the candidate.",
            words::percent(exposure.planned[1], 1)
        ),
    };
    let figure = Figure {
        id: "exposure",
        title: "Planned and observed shares of control and candidate",
        finding: &finding,
        key: Some(figure::key(
            &[("control", "control"), ("candidate", "candidate")],
            "The dashed line is the planned split; the checks say whether chance explains the gap.",
        )),
    };
    Some(
        figure::section("exposure", &format!("Which {unit}s got which side"))
            .child(figure.half(|sheet| draw(&exposure, sheet), [table(&exposure, unit)]))
            .children(arrivals::figure(comparison)),
    )
}

fn draw(exposure: &Exposure, sheet: Sheet) -> Drawing {
    const BAR: f64 = 18.0;
    let width = sheet.width();
    let mut marks = Vec::new();
    let rows = [("planned", Some(exposure.planned)), ("observed", exposure.observed)];
    for (index, (name, shares)) in rows.into_iter().enumerate() {
        let top = 46.0 * index as f64;
        let written = |side: usize| shares.map_or(words::DASH.to_owned(), |shares| words::percent(shares[side], 1));
        let label_y = top + 14.0;
        marks.push(svg::text("small", (0.0, label_y), Anchor::Start, format!("{name} {}", written(0))));
        marks.push(svg::text("small", (width, label_y), Anchor::End, written(1)));
        if let Some([control, candidate]) = shares {
            let split = width * control;
            marks.push(svg::bar("control", (0.0, top + 20.0), (split, BAR)));
            marks.push(svg::bar("candidate", (split, top + 20.0), (width * candidate, BAR)));
        }
    }
    let planned = width * exposure.planned[0];
    marks.push(svg::line("wall over", (planned, 16.0), (planned, 88.0)));
    Drawing { marks, height: 90.0 }
}

fn table(exposure: &Exposure, unit: &str) -> Element {
    let row = |side: usize, name: &str| {
        let observed = Element::new("td");
        Element::new("tr")
            .child(figure::row_header(name))
            .child(
                Element::new("td").child(figure::number(exposure.n_units[side], words::count(exposure.n_units[side]))),
            )
            .child(match exposure.observed {
                Some(shares) => observed.child(figure::number(shares[side], words::percent(shares[side], 1))),
                None => observed.text(words::DASH),
            })
            .child(
                Element::new("td")
                    .child(figure::number(exposure.planned[side], words::percent(exposure.planned[side], 1))),
            )
    };
    let caption = format!("Observed and planned shares of {unit}s");
    let columns = ["Side", "Units", "Observed share", "Planned share"].map(figure::column);
    figure::table("exposure", &caption, columns, [row(0, "Control"), row(1, "Candidate")])
}
