//! How many rows may rest on one user: a few per cent of poisoned pairs are enough to bend a model.
//!
//! Voters and rows are numbers here; what a row is, and who is behind it, is for the caller to know.

/// Rows that a share never falls below: in a small export one per cent is less than a row.
pub const MIN_ROWS_OF_SHARE: u32 = 10;

/// Returns how many rows one user may decide: `max_rows`, or `max_share` of all rows where that is less, but for the
/// latter never fewer than [`MIN_ROWS_OF_SHARE`]. 0 for `max_rows` and 1 for `max_share` are no limit.
pub fn limit(max_rows: u32, max_share: f64, n_rows: u64) -> Option<u32> {
    let by_rows = (max_rows > 0).then_some(max_rows);
    // 0.29 times 100 is a little less than 29 in floating point.
    let of_rows = (max_share * n_rows as f64 + 1e-9).floor();
    let by_share = (max_share < 1.0).then(|| (of_rows.min(f64::from(u32::MAX)) as u32).max(MIN_ROWS_OF_SHARE));
    by_rows.into_iter().chain(by_share).min()
}

/// Tells of each row whether it stays, given those whose votes made it, row by row in the order of the lottery.
///
/// A row is charged to the one of its voters who has been charged least (the first of equals), and leaves
/// where that one has `limit` rows already. So the rows that rest on a set of users alone, whoever conspires, are never
/// more than `limit` for each of them; and a row that somebody else supports as well does not leave because of one
/// who votes on everything. A row without a known voter stays: there is nobody to charge.
pub fn stay<'a>(rows: impl IntoIterator<Item = &'a [u32]>, n_voters: usize, limit: u32) -> Vec<bool> {
    let mut charged = vec![0_u32; n_voters];
    let decide = |voters: &[u32]| {
        let Some(&least) = voters.iter().min_by_key(|voter| charged[**voter as usize]) else { return true };
        let n_rows = &mut charged[least as usize];
        let stays = *n_rows < limit;
        *n_rows += u32::from(stays);
        stays
    };
    rows.into_iter().map(decide).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_smaller_limit_holds_and_a_share_is_never_less_than_a_few_rows() {
        let cases = [
            ("rows", limit(50, 0.01, 100_000), Some(50)),
            ("share", limit(50, 0.01, 2_000), Some(20)),
            ("few rows", limit(50, 0.01, 100), Some(10)),
            ("fewer than the floor", limit(3, 0.01, 100), Some(3)),
            ("no share", limit(50, 1.0, 100), Some(50)),
            ("no rows", limit(0, 0.29, 100), Some(29)),
            ("nothing", limit(0, 1.0, 100), None),
        ];

        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_row_is_charged_to_its_least_charged_voter_and_to_nobody_where_none_is_known() {
        let rows: [&[u32]; 7] = [&[0], &[0], &[0], &[0, 1], &[0, 1], &[0, 1], &[]];

        let stay = stay(rows, 2, 2);

        assert_eq!(stay, [true, true, false, true, true, false, true]);
    }

    proptest! {
        #[test]
        fn rows_of_some_users_alone_are_never_more_than_the_limit_for_each(
            rows in proptest::collection::vec(proptest::collection::btree_set(0_u32..4, 1..4), 0..60),
            limit in 1_u32..6,
            some in 1_u32..16,
        ) {
            let rows: Vec<Vec<u32>> = rows.into_iter().map(|voters| voters.into_iter().collect()).collect();

            let stay = stay(rows.iter().map(Vec::as_slice), 4, limit);

            let of_some = |voters: &[u32]| voters.iter().all(|voter| some & (1 << voter) != 0);
            let n = rows.iter().zip(&stay).filter(|(voters, stays)| **stays && of_some(voters)).count();
            prop_assert!(n as u32 <= limit * some.count_ones());
        }

        #[test]
        fn a_higher_limit_only_brings_rows_back_and_one_more_row_displaces_one_at_most(
            rows in proptest::collection::vec(proptest::collection::btree_set(0_u32..4, 0..4), 1..60),
            limit in 1_u32..6,
            extra in 0_usize..60,
        ) {
            let rows: Vec<Vec<u32>> = rows.into_iter().map(|voters| voters.into_iter().collect()).collect();
            let extra = extra % rows.len();
            let of = |rows: &[Vec<u32>], limit| stay(rows.iter().map(Vec::as_slice), 4, limit);
            let mut fewer = rows.clone();
            fewer.remove(extra);

            let all = of(&rows, limit);
            let mut without = of(&fewer, limit);

            without.insert(extra, false);
            prop_assert!(all.iter().zip(of(&rows, limit + 1)).all(|(stays, higher)| !stays || higher));
            prop_assert!(without.iter().zip(&all).filter(|(before, after)| **before && !**after).count() <= 1);
        }

        #[test]
        fn a_later_row_changes_nothing_of_the_earlier_ones(
            rows in proptest::collection::vec(proptest::collection::btree_set(0_u32..4, 0..3), 1..40),
        ) {
            let rows: Vec<Vec<u32>> = rows.into_iter().map(|voters| voters.into_iter().collect()).collect();

            let all = stay(rows.iter().map(Vec::as_slice), 4, 3);
            let fewer = stay(rows[..rows.len() - 1].iter().map(Vec::as_slice), 4, 3);

            prop_assert_eq!(&all[..rows.len() - 1], &fewer[..]);
        }
    }
}
