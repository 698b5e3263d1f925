//! Whether an effect differs between segments, and whether it changes its sign.
//!
//! It must not know what the segments are.

use super::distribution::chi2_sf;

/// Holds the tests of an effect over segments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heterogeneity {
    /// Inverse-variance mean of the effects.
    pub pooled: f64,
    /// Its standard error.
    pub pooled_se: f64,
    /// Cochran's statistic.
    pub q: f64,
    /// Segments minus one.
    pub df: u32,
    /// p of one common effect.
    pub p: f64,
    /// Share of the variation that is not chance, 0..=1.
    pub i2: f64,
    /// Gail and Simon's statistic.
    pub gail_simon_stat: f64,
    /// p of all effects having one sign.
    pub gail_simon_p: f64,
}

/// Tests independent segment effects for a common size (Cochran 1954) and a common sign (Gail & Simon 1985).
///
/// `Q = Σ(e - pooled)²/se²` on `k - 1` degrees of freedom, `I² = max(0, (Q - df)/Q)`. Sign: the smaller of the sums
/// of `(e/se)²` over positive and over negative effects, p from the mixture `Σ C(k-1,h) 2^-(k-1) P(χ²_h > stat)`,
/// `h >= 1`, and 1 for a statistic of 0. Assumes known standard errors. Nothing without segments.
pub fn heterogeneity(effects: &[(f64, f64)]) -> Option<Heterogeneity> {
    if effects.is_empty() || effects.iter().any(|&(_, se)| !(se > 0.0 && se.is_finite())) {
        return None;
    }
    let df = u32::try_from(effects.len() - 1).ok()?;
    let total: f64 = effects.iter().map(|(_, se)| 1.0 / (se * se)).sum();
    let pooled = effects.iter().map(|(e, se)| e / (se * se)).sum::<f64>() / total;
    let q: f64 = effects.iter().map(|(e, se)| ((e - pooled) / se).powi(2)).sum();
    let q = if df == 0 { 0.0 } else { q };
    let of_sign =
        |sign: f64| -> f64 { effects.iter().filter(|(e, _)| e * sign > 0.0).map(|(e, se)| (e / se).powi(2)).sum() };
    let gail_simon_stat = of_sign(1.0).min(of_sign(-1.0));
    Some(Heterogeneity {
        pooled,
        pooled_se: 1.0 / total.sqrt(),
        q,
        df,
        p: chi2_sf(q, df),
        i2: if q > 0.0 { ((q - f64::from(df)) / q).max(0.0) } else { 0.0 },
        gail_simon_stat,
        gail_simon_p: gail_simon_p(gail_simon_stat, df),
    })
}

fn gail_simon_p(stat: f64, df: u32) -> f64 {
    if stat <= 0.0 {
        return 1.0;
    }
    let mut coefficient = 0.5_f64.powf(f64::from(df));
    let mut p = 0.0;
    for h in 1..=df {
        coefficient *= f64::from(df - h + 1) / f64::from(h);
        p += coefficient * chi2_sf(stat, h);
    }
    p
}
