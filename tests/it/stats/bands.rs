//! Rates and differences of bands against numbers that statsmodels and scipy made.
//!
//! The difference is a linear contrast of `OLS` on band by stratum, saturated, one row for each turn; its error comes from fitting it
//! anew without each user.

use afterword::stats::bands::{BandCell, band_difference, band_rate};
use afterword::stats::ratio::{PairedUser, ratio_diff_paired};
use afterword::stats::{Multiplier, Users};

/// Twelve users; not everybody is everywhere, and the third stratum is in the base band alone.
fn users() -> Vec<Vec<BandCell>> {
    let cell = |user: usize, band: usize, stratum: usize| {
        let d = 1 + (user * 3 + band * 5 + stratum * 7) % 6;
        let y = (user * 5 + band * 3 + stratum * 2 + user * band) % (d + 1);
        BandCell { band, stratum, y: y as f64, d: d as f64 }
    };
    let is_there =
        |user: usize, band: usize, stratum: usize| !(stratum == 2 && band == 1) && (user + band + 2 * stratum) % 4 != 3;
    (0..12)
        .map(|user| {
            let places = (0..2).flat_map(|band| (0..3).map(move |stratum| (band, stratum)));
            places.filter(|&(band, stratum)| is_there(user, band, stratum)).map(|(b, s)| cell(user, b, s)).collect()
        })
        .collect()
}

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
}

#[test]
fn a_difference_like_for_like_is_the_contrast_of_a_regression_with_the_jackknife_of_its_users() {
    let found = band_difference(&users(), 0, 1, 1).unwrap();

    near(found.difference, 0.217_592_592_592_592_64);
    near(found.se.unwrap(), 0.108_772_996_705_706_37);
    near(found.support, 0.75);
    near(found.df, 11.0);
    near(found.p_two_sided().unwrap(), 0.070_752_003_327_252_82);
    let interval = found.interval(Multiplier::Alpha(0.05)).unwrap();
    near(interval.high - found.difference, 0.239_407_751_567_956_43);
}

#[test]
fn a_rate_has_the_interval_of_its_effective_count() {
    let of_user = |user: &Vec<BandCell>| {
        let base = user.iter().filter(|cell| cell.band == 0);
        base.fold((0.0, 0.0), |(y, d), cell| (y + cell.y, d + cell.d))
    };
    let (y, d): (Vec<f64>, Vec<f64>) = users().iter().map(of_user).unzip();

    let found = band_rate(&Users { y: &y, d: &d }, Multiplier::Alpha(0.05));

    near(found.rate.unwrap(), 0.296_296_296_296_296_3);
    let interval = found.interval.unwrap();
    near(interval.low, 0.155_899_736_126_504_32);
    near(interval.high, 0.489_767_260_258_16);
}

#[test]
fn with_one_stratum_it_is_the_paired_difference_with_a_wider_error_and_turned_round_it_changes_its_sign() {
    let one: Vec<Vec<BandCell>> =
        users().into_iter().map(|user| user.into_iter().filter(|cell| cell.stratum == 0).collect()).collect();
    let of = |user: &[BandCell], band: usize| {
        user.iter().find(|cell| cell.band == band).map_or((0.0, 0.0), |cell| (cell.y, cell.d))
    };
    let paired: Vec<PairedUser> = one
        .iter()
        .map(|user| {
            let ((y_a, d_a), (y_b, d_b)) = (of(user, 0), of(user, 1));
            PairedUser { y_a, d_a, y_b, d_b }
        })
        .collect();

    let (found, turned) = (band_difference(&one, 0, 1, 1).unwrap(), band_difference(&one, 1, 0, 1).unwrap());

    let expected = ratio_diff_paired(&paired, Multiplier::Alpha(0.05));
    near(found.difference, expected.difference.unwrap());
    let wider = found.se.unwrap() / expected.se.unwrap();
    assert!(wider > 1.0 && wider < 1.2, "{wider}");
    near(turned.difference, -found.difference);
}

#[test]
fn what_has_no_like_or_no_spread_has_no_interval() {
    let cell = |band, stratum, y, d| BandCell { band, stratum, y, d };
    let apart = vec![vec![cell(0, 0, 1.0, 2.0)], vec![cell(1, 1, 1.0, 2.0)]];
    let few = vec![vec![cell(0, 0, 1.0, 2.0), cell(1, 0, 2.0, 2.0)]; 3];
    let alike = vec![vec![cell(0, 0, 1.0, 2.0), cell(1, 0, 1.0, 2.0)]; 3];

    assert_eq!(band_difference(&apart, 0, 1, 1), None);
    assert_eq!(band_difference(&alike, 0, 1, 1).unwrap().interval(Multiplier::Alpha(0.05)), None);
    assert_eq!(band_difference(&alike, 0, 0, 1), None);
    assert_eq!((band_difference(&few, 0, 1, 3).is_some(), band_difference(&few, 0, 1, 4)), (true, None));
    assert_eq!(band_rate(&Users { y: &[1.0], d: &[2.0] }, Multiplier::Alpha(0.05)).interval, None);
    let none = band_rate(&Users { y: &[0.0, 0.0], d: &[4.0, 4.0] }, Multiplier::Alpha(0.05)).interval.unwrap();
    assert!(none.low <= 0.0 && none.high > 0.2);
}
