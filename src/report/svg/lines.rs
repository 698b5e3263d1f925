//! Marks over a plane: a line, a staircase, the band between two lines, and an upright interval.

use super::Px;
use crate::report::markup::Element;

/// Draws a line through points.
pub(crate) fn polyline(class: &str, points: &[(f64, f64)]) -> Element {
    Element::new("path").class(&format!("line {class}")).with("d", through(points.iter().copied()))
}

/// Draws a staircase through points: first along, then up or down.
pub(crate) fn staircase(class: &str, points: &[(f64, f64)]) -> Element {
    let mut path = String::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        path.extend([if index == 0 { format!("M{} {}", Px(x), Px(y)) } else { format!("H{}V{}", Px(x), Px(y)) }]);
    }
    Element::new("path").class(&format!("line {class}")).with("d", path)
}

/// Fills the area between two lines; a point is its place and the two ends there.
pub(crate) fn band(class: &str, points: &[(f64, f64, f64)]) -> Element {
    let there = points.iter().map(|&(x, end, _)| (x, end));
    let back = points.iter().rev().map(|&(x, _, end)| (x, end));
    Element::new("path").class(class).with("d", format!("{}Z", through(there.chain(back))))
}

/// Draws an upright interval with a stop at each end.
pub(crate) fn upright(class: &str, x: f64, (low, high): (f64, f64)) -> Element {
    const HALF_STOP: f64 = 4.5;
    let stop = |y: f64| format!("M{} {}H{}", Px(x - HALF_STOP), Px(y), Px(x + HALF_STOP));
    let path = format!("M{} {}V{}{}{}", Px(x), Px(low), Px(high), stop(low), stop(high));
    Element::new("path").class(&format!("whisker {class}")).with("d", path)
}

/// Writes a path through points: the first one where it is, each further one as a step from the one before, which takes
/// fewer digits. Steps are between rounded places, so that no error adds up.
fn through(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    let mut last = None;
    for (x, y) in points {
        let tenths = |value: f64| (value * 10.0).round();
        let now = (tenths(x), tenths(y));
        let (dx, dy) = match last.replace(now) {
            None => {
                path.extend([format!("M{} {}", Px(x), Px(y))]);
                continue;
            }
            Some((x, y)) => (Px((now.0 - x) / 10.0).to_string(), Px((now.1 - y) / 10.0).to_string()),
        };
        // A minus sign sets numbers apart as well as a space.
        let gap = |number: &str| if number.starts_with('-') { "" } else { " " };
        path.extend(["l", &dx, gap(&dy), &dy]);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(element: &Element) -> String {
        let mut out = String::new();
        element.write(&mut out);
        out
    }

    #[test]
    fn a_band_goes_along_one_end_and_back_along_the_other() {
        assert_eq!(
            written(&band("b", &[(0.0, 1.0, 5.0), (10.0, 2.0, 4.0)])),
            "<path class=\"b\" d=\"M0 1l10 1l0 2l-10 1Z\"/>"
        );
    }

    #[test]
    fn a_staircase_goes_along_before_it_goes_up() {
        assert_eq!(written(&staircase("s", &[(0.0, 9.0), (4.0, 3.0)])), "<path class=\"line s\" d=\"M0 9H4V3\"/>");
    }
}
