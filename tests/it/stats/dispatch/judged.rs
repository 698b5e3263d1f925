//! Preferences, ratings that few give, comparisons that nobody randomised, and what a change is worth.

use afterword::stats::Interval;
use afterword::stats::benefit::{Tradeoff, net_benefit};
use afterword::stats::bradley_terry::{
    Choice, Strengths, Victories, bradley_terry, bradley_terry_cluster, bradley_terry_map,
};
use afterword::stats::composite::{WeightedSum, composite};
use afterword::stats::jackknife::Variant;
use afterword::stats::observational::{Observed, e_value, overlap_weighted_diff};
use afterword::stats::surrogate::{Rateable, Sampled, aipw_mean, ppi_mean};
use serde_json::{Value, json};

use super::{ends, number, numbers, optional, out};

pub(super) fn dispatch(function: &str, input: &Value) -> Option<Value> {
    preferences(function, input).or_else(|| ratings(function, input)).or_else(|| worth(function, input))
}

fn preferences(function: &str, input: &Value) -> Option<Value> {
    Some(match function {
        "bradley_terry" => {
            let got = bradley_terry(&victories(input));
            json!({"finite": got.is_some(), "theta": list(got.as_ref().map(|g| g.thetas.clone())),
                   "se": list(got.as_ref().map(|g| g.errors.clone())),
                   "win_prob": list(got.as_ref().map(Strengths::win_probabilities)),
                   "elo_diff": list(got.as_ref().map(Strengths::elo_differences))})
        }
        "bradley_terry_map" => json!({"theta": list(bradley_terry_map(&victories(input), number(input, "ridge")))}),
        "bradley_terry_cluster" => {
            let n_models = input["n_items"].as_u64().unwrap() as usize;
            let choices: Vec<Choice> = rows(&input["rows"])
                .iter()
                .map(|row| match row[..] {
                    [rater, winner, loser, weight] => {
                        Choice { rater: rater as usize, winner: winner as usize, loser: loser as usize, weight }
                    }
                    _ => panic!("a choice has four numbers"),
                })
                .collect();
            let got = bradley_terry_cluster(n_models, &choices);
            json!({"theta": list(got.as_ref().map(|g| g.strengths.thetas.clone())),
                   "se_cluster": list(got.as_ref().and_then(|g| g.clustered_errors.clone())),
                   "se_naive": list(got.as_ref().map(|g| g.strengths.errors.clone()))})
        }
        _ => return None,
    })
}

fn ratings(function: &str, input: &Value) -> Option<Value> {
    Some(match function {
        "ppi_mean" => {
            let [y, f_rated, f_unrated] = ["y", "f_labelled", "f_unlabelled"].map(|name| numbers(&input[name]));
            let sampled = Sampled { y: &y, f_rated: &f_rated, f_unrated: &f_unrated };
            let got = ppi_mean(&sampled, optional(input, "lam"), number(input, "alpha"));
            let (low, high) = ends(got.and_then(|g| g.interval));
            json!({"lam": out(got.map(|g| g.lambda)), "est": out(got.map(|g| g.estimate)),
                   "se": out(got.map(|g| g.se)), "lo": low, "hi": high})
        }
        "aipw_mean" => {
            let [f, pi, r, y] = ["f", "pi", "r", "y"].map(|name| numbers(&input[name]));
            let cluster = input["cluster"].as_array();
            let completions: Vec<Rateable> = (0..f.len())
                .map(|i| Rateable {
                    prediction: f[i],
                    propensity: pi[i],
                    rating: (r[i] > 0.0).then(|| y[i]),
                    user: cluster.map_or(i, |ids| ids[i].as_u64().unwrap() as usize),
                })
                .collect();
            let got = aipw_mean(&completions);
            let se = got.and_then(|g| if cluster.is_some() { g.se_clustered } else { g.se });
            json!({"est": out(got.map(|g| g.estimate)), "se": out(se)})
        }
        "overlap_weighted_diff" => {
            let [t, y, e] = ["t", "y", "e"].map(|name| numbers(&input[name]));
            let units: Vec<Observed> = (0..t.len())
                .map(|i| Observed {
                    variant: if t[i] > 0.0 { Variant::B } else { Variant::A },
                    y: y[i],
                    propensity: e[i],
                })
                .collect();
            let got = overlap_weighted_diff(&units);
            json!({"diff": out(got.map(|g| g.difference)), "se": out(got.and_then(|g| g.se))})
        }
        "e_value" => {
            let interval = Interval { low: number(input, "lo"), high: number(input, "hi") };
            let got = e_value(number(input, "rr"), interval);
            json!({"e_value": out(got.map(|g| g.of_estimate)), "e_value_ci": out(got.map(|g| g.of_interval))})
        }
        _ => return None,
    })
}

fn worth(function: &str, input: &Value) -> Option<Value> {
    Some(match function {
        "net_benefit" => {
            let tradeoff = Tradeoff {
                quality: number(input, "dq"),
                se_quality: number(input, "se_q"),
                cost: number(input, "dc"),
                se_cost: number(input, "se_c"),
                covariance: number(input, "cov"),
            };
            let got = net_benefit(&tradeoff, number(input, "price"));
            json!({"nb": out(got.estimate), "se": out(got.se), "p_positive": out(got.p_positive),
                   "saving_per_quality_lost": out(got.saving_per_quality_lost)})
        }
        "composite" => {
            let got = composite(&numbers(&input["est"]), &rows(&input["cov"]), &numbers(&input["weights"]));
            let sum = |sum: Option<WeightedSum>| json!({"est": out(sum.map(|s| s.estimate)), "se": out(sum.and_then(|s| s.se))});
            let mut fields = sum(got.as_ref().map(|g| g.all));
            fields["drop_one"] = json!(got.map(|g| g.without.into_iter().map(sum).collect::<Vec<_>>()));
            fields
        }
        _ => return None,
    })
}

fn victories(input: &Value) -> Victories {
    Victories::of_rows(&rows(&input["wins"])).expect("a square of counts")
}

fn rows(input: &Value) -> Vec<Vec<f64>> {
    input.as_array().expect("a list of lists").iter().map(numbers).collect()
}

fn list(values: Option<Vec<f64>>) -> Value {
    values.map_or(Value::Null, |values| values.into_iter().map(out).collect())
}
