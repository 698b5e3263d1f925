//! Calls the function that a reference vector names, with the vector's input, and names the results as the vector does.

mod adjusted;
mod judged;

use afterword::stats::balance::{balance, kish_ess};
use afterword::stats::cluster::ClusteredRates;
use afterword::stats::heterogeneity::heterogeneity;
use afterword::stats::jackknife::{Variant, ratio_jackknife};
use afterword::stats::multiple::{bh, holm};
use afterword::stats::power::{Hypothesis, Plan, TwoRates, mde_two_prop, power_two_prop, sample_size_two_prop};
use afterword::stats::preference::sign_test;
use afterword::stats::proportion::{clopper_pearson_ci, newcombe_diff_ci, two_prop_ztest, wilson_ci};
use afterword::stats::ratio::{
    PairedUser, TDifference, ni_relative, ratio_diff, ratio_diff_paired, ratio_lift, welch_t,
};
use afterword::stats::response::{Thumbs, response_bias_or};
use afterword::stats::sequential::{
    LookRule, Spending, UsersNeededInput, asymp_cs, asymp_cs_mean, asymp_cs_one_sided, cs_multiplier, rho2_approx,
    rho2_exact, seq_noninferiority_p, users_needed,
};
use afterword::stats::srm::{srm_chi2, srm_sequential};
use afterword::stats::summary::{Estimate, bayes_normal, summary_tests};
use afterword::stats::trend::{DailyEffect, effect_trend};
use afterword::stats::verdict::{
    ComparisonMode, MetricRole, MetricSummary, VerdictCode, VerdictInput, VerdictReason, bounds_of, decide,
};
use afterword::stats::{Direction, Interval, Multiplier, Users};
use serde_json::{Value, json};

/// Gives the results of a case, or nothing where there is no such function.
pub(super) fn dispatch(function: &str, input: &Value) -> Option<Value> {
    proportions(function, input)
        .or_else(|| ratios(function, input))
        .or_else(|| sequences(function, input))
        .or_else(|| checks(function, input))
        .or_else(|| adjusted::dispatch(function, input))
        .or_else(|| judged::dispatch(function, input))
        .or_else(|| (function == "verdict").then(|| verdict(input)))
}

fn number(input: &Value, name: &str) -> f64 {
    optional(input, name).unwrap_or_else(|| panic!("{name} is missing in {input}"))
}

fn optional(input: &Value, name: &str) -> Option<f64> {
    input[name].as_f64()
}

fn numbers(input: &Value) -> Vec<f64> {
    input.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// Writes a number; not-a-number would become `null` in JSON and pass where `null` is wanted.
fn out(value: impl Into<Option<f64>>) -> Value {
    match value.into() {
        Some(value) => {
            assert!(value.is_finite(), "a result is {value}");
            json!(value)
        }
        None => Value::Null,
    }
}

fn ends(interval: Option<Interval>) -> (Value, Value) {
    (out(interval.map(|i| i.low)), out(interval.map(|i| i.high)))
}

fn direction(input: &Value) -> Direction {
    match input["direction"].as_str() {
        Some("higher_is_better") => Direction::HigherIsBetter,
        Some("lower_is_better") => Direction::LowerIsBetter,
        other => panic!("direction {other:?}"),
    }
}

fn alpha(input: &Value) -> Multiplier {
    Multiplier::Alpha(number(input, "alpha"))
}

fn counts(input: &Value) -> (f64, f64, f64, f64) {
    (number(input, "x_a"), number(input, "n_a"), number(input, "x_b"), number(input, "n_b"))
}

fn hypothesis(input: &Value) -> Hypothesis {
    match input["sides"].as_u64() {
        Some(1) => Hypothesis::NonInferior { margin: number(input, "margin"), direction: direction(input) },
        _ => Hypothesis::Different,
    }
}

fn proportions(function: &str, input: &Value) -> Option<Value> {
    Some(match function {
        "wilson_ci" => {
            let got = wilson_ci(number(input, "x"), number(input, "n"), number(input, "alpha")).unwrap();
            json!({"estimate": out(got.estimate), "lo": out(got.low), "hi": out(got.high)})
        }
        "clopper_pearson_ci" => {
            let got = clopper_pearson_ci(number(input, "x"), number(input, "n"), number(input, "alpha"));
            json!({"lo": out(got.low), "hi": out(got.high)})
        }
        "newcombe_diff_ci" => {
            let (x_a, n_a, x_b, n_b) = counts(input);
            let got = newcombe_diff_ci(x_a, n_a, x_b, n_b, number(input, "alpha"));
            json!({"diff": out(got.map(|g| g.difference)), "lo": out(got.map(|g| g.low)), "hi": out(got.map(|g| g.high))})
        }
        "two_prop_ztest" => {
            let (x_a, n_a, x_b, n_b) = counts(input);
            let got = two_prop_ztest(x_a, n_a, x_b, n_b);
            json!({"z": out(got.map(|g| g.z)), "p": out(got.map(|g| g.p))})
        }
        "summary_tests" => summaries(input),
        "sample_size_two_prop" => {
            let got = sample_size_two_prop(&Plan {
                p_a: number(input, "p_a"),
                p_b: number(input, "p_b"),
                hypothesis: hypothesis(input),
                alpha: number(input, "alpha"),
                power: number(input, "power"),
                ratio: number(input, "ratio"),
                deff: number(input, "deff"),
                completions_per_user: number(input, "completions_per_user"),
            });
            json!({"n_a": out(got.map(|g| g.n_a)), "n_b": out(got.map(|g| g.n_b)),
                   "n_a_ceil": out(got.map(|g| g.n_a.ceil())), "users_a": out(got.map(|g| g.users_a))})
        }
        "power_two_prop" => {
            let rates = TwoRates {
                p_a: number(input, "p_a"),
                n_a: number(input, "n_a"),
                p_b: number(input, "p_b"),
                n_b: number(input, "n_b"),
                deff: number(input, "deff"),
            };
            json!({"power": out(power_two_prop(&rates, hypothesis(input), number(input, "alpha")))})
        }
        "mde_two_prop" => {
            let (n_a, n_b, deff) = (number(input, "n_a"), number(input, "n_b"), number(input, "deff"));
            json!({"mde": out(mde_two_prop(number(input, "p"), n_a, n_b, deff, number(input, "alpha"), number(input, "power")))})
        }
        _ => return None,
    })
}

fn summaries(input: &Value) -> Value {
    let got = optional(input, "se").and_then(|se| {
        let estimate = Estimate { difference: number(input, "est"), se, df: optional(input, "df") };
        summary_tests(&estimate, number(input, "margin"), number(input, "alpha"), direction(input))
    });
    let (low, high) = ends(got.map(|g| g.interval));
    json!({"ci_lo": low, "ci_hi": high, "p_two_sided": out(got.map(|g| g.p_two_sided)),
           "p_noninferior": out(got.map(|g| g.p_noninferior)),
           "p_worse_than_margin": out(got.map(|g| g.p_worse_than_margin)),
           "p_equivalent": out(got.map(|g| g.p_equivalent)),
           "prob_noninferior_flat_prior": out(got.map(|g| g.prob_noninferior_flat_prior))})
}

fn ratios(function: &str, input: &Value) -> Option<Value> {
    if function == "welch_t" {
        let got = welch_t(&numbers(&input["a"]), &numbers(&input["b"]), alpha(input));
        return Some(t_difference(&got));
    }
    if function == "ratio_diff_paired" {
        return Some(paired(input));
    }
    if !matches!(
        function,
        "ratio_diff"
            | "ratio_lift"
            | "ni_relative"
            | "ratio_jackknife"
            | "cluster_newcombe"
            | "cluster_newcombe_relative"
    ) {
        return None;
    }
    of_both(input, |a, b| Some(of_ratios(function, input, a, b)))
}

/// Reads the users of both variants for a function of them.
fn of_both<T>(input: &Value, of: impl FnOnce(&Users, &Users) -> T) -> T {
    let [y_a, d_a, y_b, d_b] =
        [("a", "y"), ("a", "d"), ("b", "y"), ("b", "d")].map(|(variant, part)| match &input[variant][part] {
            Value::Null => Vec::new(),
            list => numbers(list),
        });
    of(&Users { y: &y_a, d: &d_a }, &Users { y: &y_b, d: &d_b })
}

fn of_ratios(function: &str, input: &Value, a: &Users, b: &Users) -> Value {
    match function {
        "ratio_diff" => {
            let got = ratio_diff(a, b, alpha(input));
            let mut fields = t_difference(&got.difference);
            fields["ratio_a"] = out(got.a.estimate);
            fields["se_a"] = out(got.a.se);
            fields["ratio_b"] = out(got.b.estimate);
            fields["se_b"] = out(got.b.se);
            fields
        }
        "ratio_lift" => {
            let got = ratio_lift(a, b, number(input, "alpha"));
            let ((low, high), (fieller_low, fieller_high)) = (ends(got.interval), ends(got.fieller));
            json!({"lift": out(got.lift), "se": out(got.se), "ci_lo": low, "ci_hi": high,
                   "fieller_lo": fieller_low, "fieller_hi": fieller_high})
        }
        "ni_relative" => {
            let got = ni_relative(a, b, number(input, "margin_rel"), direction(input));
            json!({"contrast": out(got.map(|g| g.contrast)), "se": out(got.and_then(|g| g.se)),
                   "z": out(got.and_then(|g| g.z)), "p": out(got.and_then(|g| g.p))})
        }
        "ratio_jackknife" => {
            let got = ratio_jackknife(a, b);
            let influence = got.and_then(|g| g.influence);
            let arm = influence.map(|i| if i.variant == Variant::A { "a" } else { "b" });
            json!({"diff": out(got.map(|g| g.difference)), "se_jackknife": out(got.and_then(|g| g.se)),
                   "max_influence_arm": arm, "max_influence_index": influence.map(|i| i.index),
                   "max_influence": out(influence.map(|i| i.shift)),
                   "diff_without": out(influence.map(|i| i.difference_without))})
        }
        _ => clustered(function, input, ClusteredRates::of(a, b)),
    }
}

fn t_difference(got: &TDifference) -> Value {
    let (low, high) = ends(got.interval);
    json!({"diff": out(got.difference), "se": out(got.se), "df": out(got.df), "t": out(got.t),
           "p_two_sided": out(got.p_two_sided), "ci_lo": low, "ci_hi": high})
}

fn clustered(function: &str, input: &Value, rates: Option<ClusteredRates>) -> Value {
    if function == "cluster_newcombe_relative" {
        let got = rates.map(|r| r.relative(number(input, "margin_rel"), direction(input), alpha(input)));
        let (low, high) = ends(got.and_then(|g| g.interval));
        return json!({"contrast": out(got.map(|g| g.contrast)), "lo": low, "hi": high,
                      "non_inferior": got.map(|g| g.is_non_inferior()),
                      "worse_than_margin": got.map(|g| g.is_worse_than_margin())});
    }
    let got = rates.map(|r| r.difference(alpha(input)));
    let (low, high) = ends(got.and_then(|g| g.interval));
    let p = rates.and_then(|r| r.p_noninferior(number(input, "margin"), direction(input)));
    json!({"deff": out(rates.map(|r| r.deff)), "deff_source": rates.map(|r| r.deff_source.as_str()),
           "n_eff_a": out(rates.map(|r| r.n_eff_a)), "n_eff_b": out(rates.map(|r| r.n_eff_b)),
           "df": out(rates.map(|r| r.df())), "diff": out(got.map(|g| g.difference)),
           "ci_lo": low, "ci_hi": high, "p_noninferior": out(p)})
}

fn paired(input: &Value) -> Value {
    let users: Vec<PairedUser> = input["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| match numbers(row)[..] {
            [y_a, d_a, y_b, d_b] => PairedUser { y_a, d_a, y_b, d_b },
            _ => panic!("a paired user has four numbers"),
        })
        .collect();
    let got = ratio_diff_paired(&users, alpha(input));
    let (low, high) = ends(got.interval);
    json!({"diff": out(got.difference), "se": out(got.se), "se_independent": out(got.se_independent),
           "ci_lo": low, "ci_hi": high})
}

fn sequences(function: &str, input: &Value) -> Option<Value> {
    Some(match function {
        "rho2_approx" => json!({"rho2": out(rho2_approx(number(input, "alpha"), number(input, "n_star")))}),
        "asymp_cs" => {
            let (n, n_star) = (number(input, "n"), number(input, "n_star"));
            let got = asymp_cs(number(input, "est"), number(input, "se"), n, n_star, number(input, "alpha"));
            let (low, high) = ends(got.map(|g| g.interval));
            json!({"eta": out(got.map(|g| g.eta)), "half": out(got.map(|g| g.half)), "lo": low, "hi": high,
                   "p": out(got.map(|g| g.p))})
        }
        "rho2_exact" => json!({"rho2": out(rho2_exact(number(input, "alpha"), number(input, "n_star")))}),
        "asymp_cs_one_sided" => {
            let (n, n_star) = (number(input, "n"), number(input, "n_star"));
            let (est, se) = (number(input, "est"), number(input, "se"));
            let got = asymp_cs_one_sided(est, se, n, n_star, number(input, "alpha"));
            json!({"eta": out(got.map(|g| g.eta)), "half": out(got.map(|g| g.half)),
                   "lower": out(got.map(|g| g.lower)), "upper": out(got.map(|g| g.upper))})
        }
        "asymp_cs_mean" => {
            let times: Vec<usize> = numbers(&input["times"]).into_iter().map(|t| t as usize).collect();
            let got = asymp_cs_mean(&numbers(&input["x"]), &times, number(input, "t_opt"), number(input, "alpha"));
            let ends =
                |sign: f64| -> Vec<Value> { got.iter().map(|g| out(g.map(|g| g.mean + sign * g.half))).collect() };
            json!({"lo": ends(-1.0), "hi": ends(1.0)})
        }
        "cs_multiplier" => {
            let got = cs_multiplier(number(input, "alpha"), number(input, "info_fraction"));
            json!({"eta": out(got.map(|g| g.eta)), "c": out(got.map(|g| g.c))})
        }
        "seq_noninferiority_p" => {
            let (est, se) = (number(input, "est"), number(input, "se"));
            let got = seq_noninferiority_p(est, se, number(input, "margin"), number(input, "eta"));
            json!({"z": out(got.map(|g| g.z)), "ln_e": out(got.map(|g| g.ln_e)), "p": out(got.map(|g| g.p))})
        }
        "users_needed" => {
            let got = users_needed(&UsersNeededInput {
                se_now: number(input, "se_now"),
                k_now: number(input, "k_now"),
                margin: number(input, "margin"),
                alpha: number(input, "alpha"),
                power: number(input, "power"),
                true_diff: number(input, "true_diff"),
                rule: match input["mode"].as_str() {
                    Some("fixed") => LookRule::Fixed,
                    Some("hybrid") => LookRule::Hybrid,
                    Some("sequential") => LookRule::Sequential,
                    other => panic!("mode {other:?}"),
                },
                alpha_seq_share: number(input, "alpha_seq_share"),
                users_per_day: number(input, "users_per_day"),
            });
            json!({"se_target": out(got.map(|g| g.se_target)), "users_total": out(got.map(|g| g.users_total)),
                   "users_additional": out(got.map(|g| g.users_additional)), "days": out(got.and_then(|g| g.days))})
        }
        "bayes_normal" => {
            let prior = optional(input, "prior_sd").map(|sd| (number(input, "prior_mean"), sd));
            let got = bayes_normal(number(input, "est"), number(input, "se"), prior, number(input, "margin")).unwrap();
            json!({"mean": out(got.mean), "sd": out(got.sd), "p_better": out(got.p_better),
                   "p_noninferior": out(got.p_noninferior), "expected_loss": out(got.expected_loss)})
        }
        _ => return None,
    })
}

fn checks(function: &str, input: &Value) -> Option<Value> {
    Some(match function {
        "srm_chi2" => {
            let got = srm_chi2(&numbers(&input["counts"]), &numbers(&input["weights"]));
            json!({"chi2": out(got.map(|g| g.chi2)), "df": got.map(|g| g.df), "p": out(got.map(|g| g.p))})
        }
        "srm_sequential" => {
            let concentration = number(input, "concentration");
            let got = srm_sequential(&numbers(&input["counts"]), &numbers(&input["weights"]), concentration);
            json!({"ln_bf": out(got.map(|g| g.ln_bayes_factor)), "p": out(got.map(|g| g.p))})
        }
        "holm" => json!({"adjusted": holm(&numbers(&input["p"]))}),
        "bh" => json!({"adjusted": bh(&numbers(&input["p"]))}),
        "sign_test" => {
            let votes = |name: &str| input[name].as_u64().unwrap();
            let got = sign_test(votes("wins_b"), votes("wins_a"), votes("ties"), number(input, "alpha")).unwrap();
            json!({"p": out(got.p), "share_b": out(got.share_b.estimate), "lo": out(got.share_b.low),
                   "hi": out(got.share_b.high)})
        }
        "response_bias_or" => {
            let thumbs = Thumbs {
                up_a: number(input, "up_a"),
                down_a: number(input, "down_a"),
                up_b: number(input, "up_b"),
                down_b: number(input, "down_b"),
            };
            let (margin, deff) = (number(input, "margin"), number(input, "deff"));
            let got = response_bias_or(&thumbs, margin, deff, number(input, "alpha")).unwrap();
            json!({"or": out(got.odds_ratio), "ln_or": out(got.ln_odds_ratio), "se": out(got.se),
                   "or_lo": out(got.interval.low), "or_hi": out(got.interval.high),
                   "margin_or": out(got.margin_or), "tipping_gamma": out(got.tipping_gamma)})
        }
        "balance" => {
            let smd = balance(&numbers(&input["a"]), &numbers(&input["b"]));
            json!({"smd": out(smd), "kish_ess": out(kish_ess(&numbers(&input["weights"])))})
        }
        "effect_trend" => {
            let effects: Vec<DailyEffect> = numbers(&input["day"])
                .into_iter()
                .zip(numbers(&input["est"]))
                .zip(numbers(&input["se"]))
                .map(|((day, estimate), se)| DailyEffect { day, estimate, se })
                .collect();
            let got = effect_trend(&effects);
            json!({"slope": out(got.map(|g| g.slope)), "se": out(got.map(|g| g.se)), "z": out(got.map(|g| g.z)),
                   "p": out(got.map(|g| g.p))})
        }
        "heterogeneity" => {
            let effects: Vec<(f64, f64)> = numbers(&input["est"]).into_iter().zip(numbers(&input["se"])).collect();
            let got = heterogeneity(&effects).unwrap();
            json!({"pooled": out(got.pooled), "pooled_se": out(got.pooled_se), "q": out(got.q), "df": got.df,
                   "p": out(got.p), "i2": out(got.i2), "gail_simon_stat": out(got.gail_simon_stat),
                   "gail_simon_p": out(got.gail_simon_p)})
        }
        _ => return None,
    })
}

fn verdict(input: &Value) -> Value {
    let spending = Spending {
        alpha: number(input, "alpha"),
        alpha_seq_share: number(input, "alpha_seq_share"),
        info_fraction: number(input, "info_fraction"),
        fixed_look_used: input["fixed_look_used"].as_bool().unwrap(),
    };
    let bounds_of_metric = |metric: &Value| {
        let summary = MetricSummary {
            role: if metric["role"] == "primary" { MetricRole::Primary } else { MetricRole::Guardrail },
            difference: number(metric, "est"),
            se: optional(metric, "se"),
            df: optional(metric, "df"),
            margin: number(metric, "margin"),
            direction: direction(metric),
        };
        bounds_of(&summary, &spending)
    };
    let verdict_input = VerdictInput {
        mode: if input["mode"] == "observational" { ComparisonMode::Observational } else { ComparisonMode::Randomised },
        srm_p: optional(input, "srm_p"),
        crossover_share: number(input, "crossover_share"),
        info_fraction: spending.info_fraction,
        enough_evidence: input["enough_events"].as_bool().unwrap(),
        days_more: optional(input, "days_more"),
        max_days: number(input, "max_days"),
        metrics: input["metrics"].as_array().unwrap().iter().map(bounds_of_metric).collect(),
    };
    let got = decide(&verdict_input);
    // INVALID blocks the numbers. The vectors give no reason where nothing was concluded; ours says why.
    let bounds = (got.code != VerdictCode::Invalid)
        .then(|| verdict_input.metrics.iter().map(|m| [out(m.low), out(m.high)]).collect::<Vec<_>>());
    let qualifier = matches!(
        got.reason,
        VerdictReason::WorseThanMargin
            | VerdictReason::Better
            | VerdictReason::SmallCost
            | VerdictReason::NonInferior
            | VerdictReason::NotShown
    )
    .then(|| got.reason.as_str());
    json!({"verdict": got.code.as_str(), "qualifier": qualifier, "bounds": bounds})
}
