//! Plans from stored traffic.

use afterword::domain::plan::PlanSpec;
use afterword::report::json;
use afterword::report::plan::{Plan, PlanBasis};
use afterword::report::text;
use afterword::service::compare::plan;
use afterword::service::error::ServiceError;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::seed::{Seeded, completion, reaction};

const N_USERS: i64 = 120;

impl Seeded {
    async fn plan(&self, query: &[(&str, &str)]) -> Result<Plan, ServiceError> {
        let pairs: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        plan::plan(&self.app, &self.principal, PlanSpec::from_query(&pairs).unwrap()).await
    }

    /// Stores ten days of a model: twelve new users on each, with two turns; of every third user both are copied.
    async fn ten_days(&self) {
        #[expect(clippy::disallowed_methods, reason = "a completion is made before it arrives")]
        let start = Utc::now() - TimeDelta::days(11);
        let (mut completions, mut feedback) = (Vec::new(), Vec::new());
        for user in 0..N_USERS {
            // The first one comes at the start and the last one at the end of the tenth day.
            let made_at = start + TimeDelta::seconds(user * 864_000 / (N_USERS - 1));
            for turn in 0..2 {
                let id = format!("old-{user}-{turn}");
                let more = json!({ "user": format!("u{user}"), "task": "chat", "created_at": made_at.to_rfc3339() });
                if user % 3 == 0 {
                    feedback.push(reaction(feedback.len() as u128, &id, "copy", json!({ "n_chars": 4 })));
                }
                completions.push(completion(&id, "old", more));
            }
        }
        self.completions(&completions).await;
        self.feedback(&feedback).await;
    }
}

#[tokio::test]
async fn a_plan_reads_rates_users_and_their_spread_from_the_models_own_traffic() {
    let seeded = Seeded::new().await;
    seeded.ten_days().await;
    seeded.completions(&[completion("else", "other", json!({ "user": "u-else" }))]).await;

    let plan = seeded.plan(&[("control", "model:old"), ("margin.good_turn", "0.1")]).await.unwrap();

    let PlanBasis::Traffic { control, n_users, n_turns, n_days, .. } = &plan.basis else { panic!("{plan:?}") };
    assert_eq!((control.as_str(), *n_users, *n_turns), ("old", 120, 240));
    assert!((n_days - 10.0).abs() < 0.01, "{n_days}");
    assert_eq!(plan.metrics.len(), 1, "nobody gave a thumb or asked again");
    let good = &plan.metrics[0];
    assert!((good.baseline - 1.0 / 3.0).abs() < 1e-12);
    // Both turns of a user agree, so that they count as one: 2·120/119.
    assert!((good.deff - 2.0 * 120.0 / 119.0).abs() < 1e-9, "{}", good.deff);
    // By hand: se = (1/30)/2.801585 = 0.0118980; V = se²/(0.81/0.5 + 1/0.5) = 3.91056e-5, the information 25,572. K users have
    // (K - 1)/(2/9) of it: 5,684 users, 120 in ten days and then 12 a day.
    let once = good.at_one_look.unwrap();
    assert!((once.n_users as f64 - 5684.0).abs() < 10.0, "{once:?}");
    assert!((once.n_days.unwrap() - once.n_users as f64 / 12.0).abs() < 2.0 && once.is_extrapolated, "{once:?}");
    assert!(good.at_every_look.unwrap().n_users > once.n_users && plan.n_days > Some(90.0));
    assert!(
        plan.sentence.contains("too long") && plan.sentence.contains("In 30 days you can prove"),
        "{}",
        plan.sentence
    );
    assert!(plan.notes.iter().any(|note| note.contains("no bad turns, thumbs up and thumbs down")), "{:?}", plan.notes);
    assert!(json::plan::to_json(&plan)["basis"]["kind"] == "traffic");
    let told = text::plan::to_text(&plan, 80, false);
    assert!(told.lines().all(|line| line.chars().count() <= 80) && told.contains("Good turns /100"), "{told}");
}

#[tokio::test]
async fn filters_choose_the_traffic_and_no_traffic_makes_no_plan() {
    let seeded = Seeded::new().await;
    seeded.ten_days().await;
    seeded.completions(&[completion("silent", "silent", json!({ "user": "u" }))]).await;

    let chat = seeded.plan(&[("control", "model:old"), ("task", "chat")]).await.unwrap();
    let none = seeded.plan(&[("control", "model:old"), ("task", "code")]).await.unwrap_err();
    let absent = seeded.plan(&[("control", "model:absent")]).await.unwrap_err();
    let silent = seeded.plan(&[("control", "model:silent")]).await.unwrap_err();

    let wire = json::plan::to_json(&chat);
    assert_eq!((&wire["basis"]["n_turns"], &wire["basis"]["filters"]["task"]), (&json!(240), &json!("chat")));
    assert!(matches!(none, ServiceError::NoData(_)) && matches!(absent, ServiceError::NoData(_)));
    assert!(silent.to_string().contains("nobody has reacted"), "{silent}");
}

#[tokio::test]
async fn numbers_make_the_plan_that_their_traffic_would() {
    let seeded = Seeded::new().await;
    seeded.ten_days().await;

    let traffic = seeded.plan(&[("control", "model:old")]).await.unwrap();
    let given = [("baseline", "0.3333333"), ("users_per_day", "12"), ("turns_per_user", "2"), ("icc", "1")];
    let numbers = seeded.plan(&given).await.unwrap();

    let users = |plan: &Plan| plan.metrics[0].at_every_look.unwrap().n_users as f64;
    assert!((users(&traffic) / users(&numbers) - 1.0).abs() < 0.02, "{} {}", users(&traffic), users(&numbers));
    let without_days: Value = json::plan::to_json(
        &seeded.plan(&[("baseline", "0.3333333"), ("turns_per_user", "2"), ("icc", "1")]).await.unwrap(),
    );
    assert_eq!(without_days["n_days"], Value::Null);
    assert_eq!(without_days["metrics"][0]["ahead"], json!([]));
    assert_eq!(without_days["metrics"][0]["at_every_look"]["n_users"], users(&numbers));
}
