//! Score intervals, regression, adjustment and strata.

use std::collections::BTreeMap;

use afterword::stats::cuped::{Adjusted, Covaried, CovariedUsers, Slope, cuped, cuped_ratio};
use afterword::stats::jackknife::Variant;
use afterword::stats::proportion::TwoCounts;
use afterword::stats::regression::cluster_ols;
use afterword::stats::score::{ScoreVariance, mn_diff_ci, mn_noninferiority};
use afterword::stats::strata::{Cell, StratifiedUser, mh_risk_difference, poststrat_cluster};
use serde_json::{Value, json};

use super::{counts, direction, number, numbers, of_both, out};

pub(super) fn dispatch(function: &str, input: &Value) -> Option<Value> {
    Some(match function {
        "mn_diff_ci" => {
            let got = mn_diff_ci(&two_counts(input), score_variance(input), number(input, "alpha"));
            json!({"diff": out(got.map(|g| g.difference)), "lo": out(got.map(|g| g.low)), "hi": out(got.map(|g| g.high))})
        }
        "mn_noninferiority" => {
            let margin = number(input, "margin");
            let got = mn_noninferiority(&two_counts(input), margin, direction(input), score_variance(input));
            json!({"z": out(got.map(|g| g.z)), "p": out(got.map(|g| g.p))})
        }
        "cluster_ols" => {
            let got = of_both(input, cluster_ols);
            json!({"coef": out(got.map(|g| g.coefficient)), "se": out(got.and_then(|g| g.se)),
                   "n": out(got.map(|g| g.n_completions)), "clusters": got.map(|g| g.n_users)})
        }
        "cuped" => {
            let [y_a, x_a, y_b, x_b] = parts(input, ["y", "x"]);
            let slope = match input["theta_method"].as_str() {
                Some("within_arm") => Slope::WithinVariant,
                Some("grand") => Slope::Grand,
                other => panic!("theta_method {other:?}"),
            };
            adjusted(cuped(&Covaried { y: &y_a, x: &x_a }, &Covaried { y: &y_b, x: &x_b }, slope))
        }
        "cuped_ratio" => {
            let [y_a, d_a, y_b, d_b] = parts(input, ["y", "d"]);
            let [x_a, _, x_b, _] = parts(input, ["x", "d"]);
            let (a, b) = (CovariedUsers { y: &y_a, d: &d_a, x: &x_a }, CovariedUsers { y: &y_b, d: &d_b, x: &x_b });
            adjusted(cuped_ratio(&a, &b))
        }
        "mh_risk_difference" => {
            let strata: Vec<TwoCounts> = input["strata"].as_array().unwrap().iter().map(two_counts).collect();
            let got = mh_risk_difference(&strata);
            json!({"rd": out(got.map(|g| g.difference)), "se_gr": out(got.map(|g| g.se_greenland_robins)),
                   "se_sato": out(got.and_then(|g| g.se_sato)), "crude": out(got.and_then(|g| g.crude)),
                   "reversal": got.map(|g| g.is_reversed)})
        }
        "poststrat_cluster" => {
            let got = poststrat_cluster(&stratified(input));
            json!({"diff": out(got.map(|g| g.difference)), "se": out(got.and_then(|g| g.se)),
                   "support": out(got.map(|g| g.support)), "crude": out(got.map(|g| g.crude))})
        }
        _ => return None,
    })
}

fn two_counts(input: &Value) -> TwoCounts {
    let (x_a, n_a, x_b, n_b) = counts(input);
    TwoCounts { x_a, n_a, x_b, n_b }
}

fn score_variance(input: &Value) -> ScoreVariance {
    if input["correction"].as_bool().unwrap() { ScoreVariance::Corrected } else { ScoreVariance::Plain }
}

/// Gives two lists of each variant: those of `a`, then those of `b`.
fn parts(input: &Value, [first, second]: [&str; 2]) -> [Vec<f64>; 4] {
    [("a", first), ("a", second), ("b", first), ("b", second)].map(|(variant, name)| numbers(&input[variant][name]))
}

/// The means of `cuped` and the ratios of `cuped_ratio` are the same fields of ours under two names.
fn adjusted(got: Option<Adjusted>) -> Value {
    json!({"theta": out(got.map(|g| g.theta)), "mean_a": out(got.map(|g| g.a)), "mean_b": out(got.map(|g| g.b)),
           "ratio_a": out(got.map(|g| g.a)), "ratio_b": out(got.map(|g| g.b)),
           "diff": out(got.map(|g| g.difference)), "se": out(got.and_then(|g| g.se)),
           "se_unadjusted": out(got.and_then(|g| g.se_unadjusted)),
           "variance_reduction": out(got.and_then(|g| g.variance_reduction))})
}

fn stratified(input: &Value) -> Vec<StratifiedUser> {
    let mut strata: BTreeMap<&str, usize> = BTreeMap::new();
    let mut users = Vec::new();
    for user in input["users"].as_array().unwrap() {
        let mut cells = Vec::new();
        for (name, cell) in user["cells"].as_object().unwrap() {
            let next = strata.len();
            let stratum = *strata.entry(name).or_insert(next);
            cells.push(Cell { stratum, y: cell[0].as_f64().unwrap(), d: cell[1].as_f64().unwrap() });
        }
        users.push(StratifiedUser { variant: if user["arm"] == "a" { Variant::A } else { Variant::B }, cells });
    }
    users
}
