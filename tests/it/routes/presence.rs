//! Feedback on a completion that is there, foreign or absent gets one and the same answer: whoever sends it learns
//! nothing of what is stored.

use std::time::{Duration, Instant};

use afterword::config::environment;
use afterword::domain::principal::Role;

use super::pages::{SHOP, post_from, publishable_key};
use super::{completion, thumb};
use crate::support::TestService;
use crate::support::service::{Answer, PROJECT};

/// What of an answer is the same for the same question.
fn face(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let varies = ["x-request-id", "date", "ratelimit"];
    let headers = answer.headers.iter().filter(|(name, _)| !varies.contains(&name.as_str()));
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    // The framework writes headers in an order of chance.
    headers.sort();
    (answer.status, headers, answer.text.clone())
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort();
    taken[taken.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_cannot_tell_whether_a_completion_is_there() {
    let is_full = environment("AFTERWORD_CAMPAIGN").as_deref() == Some("full");
    let n_samples = if is_full { 2000 } else { 150 };
    let service = TestService::start().await;
    let (own, other) = (service.key(Role::Ingest).await, service.key_of("other", Role::Ingest).await.reveal());
    let page = publishable_key(&service, PROJECT, "pageshop00000001", &[SHOP]).await;
    assert_eq!(service.post("/v1/completions", &own, &completion("present")).await.status, 200);
    assert_eq!(service.post("/v1/completions", &other, &completion("foreign")).await.status, 200);
    let ids = ["present", "foreign", "absent"];
    let mut taken = [const { Vec::new() }; 3];
    let mut faces = Vec::new();

    for _ in 0..n_samples {
        for (id, taken) in ids.iter().zip(&mut taken) {
            let item = thumb(id);
            let started = Instant::now();
            let answer = post_from(&service, SHOP, &page, &item).await;
            taken.push(started.elapsed());
            faces.push(face(&answer));
        }
    }

    assert_eq!(faces[0].0, 200);
    for face in &faces {
        assert_eq!(face, &faces[0]);
    }
    let medians = taken.map(median);
    println!("medians of {n_samples}: {ids:?} {medians:?}");
    let spread = medians.iter().max().unwrap().abs_diff(*medians.iter().min().unwrap());
    // A few samples beside other tests say nothing of time.
    assert!(!is_full || spread <= Duration::from_millis(1), "{medians:?}");
}
