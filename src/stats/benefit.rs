//! What a change of quality is worth against a change of cost.
//!
//! It must not know currencies or units: one price turns quality into cost.

use super::distribution::normal_cdf;

/// Holds the changes of quality and cost from control to the candidate, in whatever units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tradeoff {
    /// Change of quality, positive is good.
    pub quality: f64,
    /// Its standard error.
    pub se_quality: f64,
    /// Change of cost, negative is good.
    pub cost: f64,
    /// Its standard error.
    pub se_cost: f64,
    /// Covariance of the two estimates.
    pub covariance: f64,
}

/// Holds the net benefit of a change at one price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetBenefit {
    /// Worth of the quality gained, less the cost.
    pub estimate: f64,
    /// Standard error; nothing for errors and a covariance that cannot be together.
    pub se: Option<f64>,
    /// Chance that the change pays, under a flat prior; nothing without a standard error above 0.
    pub p_positive: Option<f64>,
    /// What is saved for each unit of quality lost: the price below which switching pays. Nothing unless the candidate is
    /// cheaper and worse.
    pub saving_per_quality_lost: Option<f64>,
}

/// Computes the net benefit of a change where one unit of quality is worth `price`.
///
/// `nb = price·dq - dc`, `se = sqrt(price² se_q² + se_c² - 2 price cov)`, `p = Φ(nb/se)`, `dc/dq` where both are below 0.
/// It has no ratio in it, so that its interval is one whatever the signs; over prices, `p` is the acceptability curve.
/// Assumes normal estimates. Stinnett & Mullahy 1998.
pub fn net_benefit(tradeoff: &Tradeoff, price: f64) -> NetBenefit {
    let Tradeoff { quality, se_quality, cost, se_cost, covariance } = *tradeoff;
    let estimate = price * quality - cost;
    let variance = (price * se_quality).powi(2) + se_cost * se_cost - 2.0 * price * covariance;
    let se = (variance >= 0.0).then(|| variance.sqrt());
    let p_positive = se.filter(|&se| se > 0.0).map(|se| normal_cdf(estimate / se));
    let saving_per_quality_lost = (quality < 0.0 && cost < 0.0).then(|| cost / quality);
    NetBenefit { estimate, se, p_positive, saving_per_quality_lost }
}
