//! The linear scale: values to places, and ticks at round values.

/// Maps a range of values to a range of places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Linear {
    domain: (f64, f64),
    range: (f64, f64),
}

impl Linear {
    /// Makes a scale; a domain without extent is widened by one on both sides, so that nothing is divided by zero.
    pub(crate) fn new(domain: (f64, f64), range: (f64, f64)) -> Self {
        let (low, high) = domain;
        let domain = if high > low { domain } else { (low - 1.0, low + 1.0) };
        Self { domain, range }
    }

    /// Returns the place of a value, outside the range where the value is outside the domain.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = (value - self.domain.0) / (self.domain.1 - self.domain.0);
        self.range.0 + share * (self.range.1 - self.range.0)
    }

    /// Says whether the domain holds a value.
    pub(crate) fn holds(&self, value: f64) -> bool {
        value >= self.domain.0 && value <= self.domain.1
    }

    /// Returns the ends of the domain.
    pub(crate) fn domain(&self) -> (f64, f64) {
        self.domain
    }

    /// Returns the ends of the range.
    pub(crate) fn range(&self) -> (f64, f64) {
        self.range
    }

    /// Returns round values of the domain, about as many as asked for: steps are 1, 2 or 5 times a power of ten.
    pub(crate) fn ticks(&self, n_wanted: u32) -> Vec<f64> {
        let (low, high) = self.domain;
        let rough = (high - low) / f64::from(n_wanted.max(1));
        let power = 10_f64.powf(rough.log10().floor());
        let step = power
            * match rough / power {
                share if share < std::f64::consts::SQRT_2 => 1.0,
                share if share < 3.2 => 2.0,
                share if share < 7.1 => 5.0,
                _ => 10.0,
            };
        let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
        (first..=last).map(|index| index as f64 * step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_domain_fall_on_the_ends_of_the_range() {
        let scale = Linear::new((-2.0, 3.0), (100.0, 600.0));

        assert!((scale.place(-2.0) - 100.0).abs() < 1e-9);
        assert!((scale.place(0.0) - 300.0).abs() < 1e-9);
        assert!((scale.place(3.0) - 600.0).abs() < 1e-9);
    }

    #[test]
    fn a_domain_without_extent_still_has_places() {
        assert!(Linear::new((4.0, 4.0), (0.0, 10.0)).place(4.0).is_finite());
    }

    #[test]
    fn ticks_are_round_inside_the_domain_and_about_as_many_as_wanted() {
        for domain in [(-0.0031, 0.0042), (-1.0, 1.0), (0.0, 97.0), (-1234.0, 20.0), (0.2, 0.21)] {
            let scale = Linear::new(domain, (0.0, 1.0));

            let ticks = scale.ticks(5);

            assert!((2..=10).contains(&ticks.len()), "{domain:?}: {ticks:?}");
            assert!(ticks.iter().all(|&tick| scale.holds(tick)), "{domain:?}: {ticks:?}");
        }
    }
}
