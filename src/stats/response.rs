//! Ratings that few users give: what can be said without knowing who answers.
//!
//! It must not decide whether the ratings are comparable.

use super::Interval;
use super::distribution::normal_upper_quantile;

/// Holds the counts of thumbs per variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thumbs {
    /// Thumbs up in control.
    pub up_a: f64,
    /// Thumbs down in control.
    pub down_a: f64,
    /// Thumbs up in the candidate.
    pub up_b: f64,
    /// Thumbs down in the candidate.
    pub down_b: f64,
}

/// Holds the odds ratio of up to down and how much selective answering it would take to overturn it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResponseBias {
    /// Odds of up in the candidate over those in control.
    pub odds_ratio: f64,
    /// Its logarithm.
    pub ln_odds_ratio: f64,
    /// Standard error of the logarithm.
    pub se: f64,
    /// Interval of the odds ratio.
    pub interval: Interval,
    /// The margin as an odds ratio; nothing where the control share is not above the margin.
    pub margin_or: Option<f64>,
    /// Lower limit over the margin: at or below 1 non-inferiority is not shown even without bias.
    pub tipping_gamma: Option<f64>,
}

/// Computes the odds ratio of thumbs up to down with its tipping point.
///
/// `ln OR = ln(up_b down_a/(down_b up_a))`, 0.5 added to all cells where one is empty,
/// `se = sqrt(deff Σ 1/cell)` (Woolf 1955). If satisfied users rate λ times as often as others, equally in both
/// variants, the odds ratio is unbiased for every λ; `tipping_gamma` is by how much the two λ would have to differ to
/// overturn non-inferiority. `margin_or = odds(q_a - margin)/odds(q_a)` at the control share `q_a`.
pub fn response_bias_or(thumbs: &Thumbs, margin: f64, deff: f64, alpha: f64) -> Option<ResponseBias> {
    let counts = [thumbs.up_a, thumbs.down_a, thumbs.up_b, thumbs.down_b];
    let added = if counts.iter().any(|&n| n <= 0.0) { 0.5 } else { 0.0 };
    let [up_a, down_a, up_b, down_b] = counts.map(|n| n + added);
    let odds_ratio = up_b * down_a / (down_b * up_a);
    let ln_odds_ratio = odds_ratio.ln();
    let se = (deff * (1.0 / up_a + 1.0 / down_a + 1.0 / up_b + 1.0 / down_b)).sqrt();
    let logs = Interval::around(ln_odds_ratio, normal_upper_quantile(alpha / 2.0)? * se)?;
    let interval = Interval { low: logs.low.exp(), high: logs.high.exp() };
    let share_a = up_a / (up_a + down_a);
    let odds = |share: f64| share / (1.0 - share);
    let margin_or = (share_a > margin).then(|| odds(share_a - margin) / odds(share_a));
    let tipping_gamma = margin_or.map(|margin_or| interval.low / margin_or);
    Some(ResponseBias { odds_ratio, ln_odds_ratio, se, interval, margin_or, tipping_gamma })
}
