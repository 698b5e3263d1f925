//! Whether voters favour the answer that they see first, and whether chance decided which one that was.
//!
//! Counts only. Rows belong to strata: all rows of one experiment in which the same two models were compared.

/// Fewer rows of a stratum cannot show that the order was not random.
const MIN_ROWS_TO_JUDGE: u64 = 20;
/// Error rate, about 1 in 10,000, at which an order counts as not random: many strata are looked at.
const SURPRISE: f64 = 3.890_591_886_413_12;

/// What is known of a stratum's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// Rows of which it is recorded what was seen first.
    pub n: u64,
    /// Of these, the better answer was.
    pub n_chosen_first: u64,
    /// Of the rows between two models, those of which it is recorded.
    pub n_of_two_models: u64,
    /// Of these, the model whose name sorts first was seen first.
    pub n_lead_first: u64,
}

impl Shown {
    /// Counts a row: whether its better answer was seen first, and whether the leading of its two models was.
    pub fn add(&mut self, chosen_first: bool, lead_first: Option<bool>) {
        self.n += 1;
        self.n_chosen_first += u64::from(chosen_first);
        self.n_of_two_models += u64::from(lead_first.is_some());
        self.n_lead_first += u64::from(lead_first == Some(true));
    }

    /// Tells whether chance decided which model was shown first, as far as the rows can tell: the share of the leading
    /// one is no further from 1/2 than chance takes it, `|k - n/2| <= z sqrt(n)/2`. Few rows, and rows of one model,
    /// are given the benefit of the doubt.
    pub fn is_randomised(&self) -> bool {
        let n = self.n_of_two_models as f64;
        let off = (self.n_lead_first as f64 - n / 2.0).abs();
        self.n_of_two_models < MIN_ROWS_TO_JUDGE || off <= SURPRISE * n.sqrt() / 2.0
    }

    /// Returns the weight of a row by whether its better answer was seen first, such that both kinds weigh the same
    /// together and all rows weigh as much as before: `n / (2 n_kind)`. 1 where one kind is absent: no weight mends that.
    pub fn weight(&self, chosen_first: bool) -> f64 {
        let n_kind = if chosen_first { self.n_chosen_first } else { self.n - self.n_chosen_first };
        if n_kind == 0 || n_kind == self.n { 1.0 } else { self.n as f64 / (2.0 * n_kind as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(n_chosen_first: u64, n: u64, n_lead_first: u64) -> Shown {
        let mut shown = Shown::default();
        for row in 0..n {
            shown.add(row < n_chosen_first, Some(row < n_lead_first));
        }
        shown
    }

    #[test]
    fn an_order_that_is_always_the_same_is_not_random_and_one_that_varies_a_little_unevenly_is() {
        assert!(!shown(50, 100, 100).is_randomised());
        assert!(!shown(50, 100, 0).is_randomised());
        assert!(shown(50, 100, 50).is_randomised());
        assert!(shown(50, 100, 60).is_randomised());
        assert!(shown(10, 19, 19).is_randomised(), "too few to tell");
    }

    #[test]
    fn rows_of_one_model_say_nothing_of_the_order() {
        let mut shown = Shown::default();
        for _ in 0..100 {
            shown.add(true, None);
        }

        assert!(shown.is_randomised());
        assert_eq!((shown.n, shown.n_chosen_first, shown.n_of_two_models), (100, 100, 0));
    }

    #[test]
    fn weights_make_both_positions_equal_and_keep_the_total() {
        let shown = shown(70, 100, 50);

        let (first, second) = (70.0 * shown.weight(true), 30.0 * shown.weight(false));

        assert!((first - 50.0).abs() < 1e-9 && (second - 50.0).abs() < 1e-9, "{first} {second}");
        let one_sided = Shown { n: 5, n_chosen_first: 5, ..Shown::default() };
        assert!((one_sided.weight(true) - 1.0).abs() < 1e-12);
    }
}
