//! A project on a database of the test's own, filled through the ingest use cases.

use std::sync::Arc;

use afterword::blob::Blob;
use afterword::domain::clock::SystemClock;
use afterword::domain::comparison::ComparisonSpec;
use afterword::domain::completion::NewCompletion;
use afterword::domain::experiment::Experiment;
use afterword::domain::feedback::NewFeedback;
use afterword::domain::json::Json;
use afterword::domain::principal::{CredentialId, CredentialKind, Principal, Role};
use afterword::domain::trust::TrustFilter;
use afterword::report::comparison::Comparison;
use afterword::service::error::ServiceError;
use afterword::service::ingest::{Parsed, record_completions, record_feedback};
use afterword::service::{App, bootstrap, compare, experiments};
use serde_json::{Value, json};

use crate::support::TestDatabase;

/// A started service with one project.
pub(super) struct Seeded {
    pub(super) app: App,
    pub(super) principal: Principal,
    pub(super) database: TestDatabase,
    /// Whose reactions the tallies count.
    pub(super) trust: TrustFilter,
}

impl Seeded {
    pub(super) async fn new() -> Self {
        let database = TestDatabase::new().await;
        let app = App::start(database.store().clone(), Blob::memory(), Arc::new(SystemClock));
        let project_id = bootstrap::ensure(&app, "demo", None).await.unwrap();
        let credential = CredentialId::new(CredentialKind::SecretKey, "testkey000000000");
        let principal = Principal::of_backend(project_id, credential, Role::Analyst);
        Self { app, principal, database, trust: TrustFilter::Verified }
    }

    /// Records completions; every one must be accepted.
    pub(super) async fn completions(&self, items: &[Value]) {
        for batch in items.chunks(500) {
            let parsed = batch.iter().map(|item| Parsed {
                id: None,
                outcome: NewCompletion::from_json(Json::parse(item.to_string().as_bytes()).unwrap(), ""),
            });
            let receipt = record_completions(&self.app, &self.principal, parsed.collect()).await.unwrap();
            assert_eq!((receipt.accepted, receipt.rejected), (batch.len(), vec![]));
        }
    }

    /// Records feedback; every item must be accepted.
    pub(super) async fn feedback(&self, items: &[Value]) {
        for batch in items.chunks(500) {
            let parsed = batch.iter().map(|item| Parsed {
                id: None,
                outcome: NewFeedback::from_json(Json::parse(item.to_string().as_bytes()).unwrap(), ""),
            });
            let receipt = record_feedback(&self.app, &self.principal, parsed.collect()).await.unwrap();
            assert_eq!((receipt.accepted, receipt.rejected), (batch.len(), vec![]));
        }
    }

    /// Declares an experiment.
    pub(super) async fn declare(&self, declaration: Value) {
        let experiment = Experiment::from_json(Json::parse(declaration.to_string().as_bytes()).unwrap()).unwrap();
        experiments::declare(&self.app, &self.principal, experiment).await.unwrap();
    }

    /// Asks for a comparison by its query parameters.
    pub(super) async fn ask(&self, query: &[(&str, &str)]) -> Result<Comparison, ServiceError> {
        compare::compare(&self.app, &self.principal, spec(query)).await
    }
}

/// Parses query parameters.
pub(super) fn spec(query: &[(&str, &str)]) -> ComparisonSpec {
    let pairs: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ComparisonSpec::from_query(&pairs).unwrap()
}

/// Question of every test on two models.
pub(super) const OLD_AND_NEW: [(&str, &str); 2] = [("control", "model:old"), ("candidate", "model:new")];

/// A completion with the fields that a test does not care about filled in; `more` replaces and adds.
pub(super) fn completion(id: &str, model: &str, more: Value) -> Value {
    let mut item = json!({ "id": id, "model": model, "prompt": format!("prompt of {id}"), "response": "an answer" });
    merge(&mut item, more);
    item
}

/// A reaction whose id follows from its number.
pub(super) fn reaction(number: u128, completion_id: &str, signal: &str, more: Value) -> Value {
    let mut item = json!({ "id": feedback_id(number), "completion_id": completion_id, "signal": signal });
    merge(&mut item, more);
    item
}

/// The id of the reaction of a number.
pub(super) fn feedback_id(number: u128) -> String {
    uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number).to_string()
}

fn merge(item: &mut Value, more: Value) {
    let (Value::Object(item), Value::Object(more)) = (item, more) else { panic!("an item is an object") };
    item.extend(more);
}
