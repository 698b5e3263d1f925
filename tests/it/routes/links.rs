//! Feedback links: looked at as often as anybody likes, answered by a form.

use afterword::domain::principal::Role;
use afterword::http::{HttpSettings, Quotas};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::thumb;
use crate::support::TestService;
use crate::support::service::Answer;

const FORM: &str = "application/x-www-form-urlencoded";

/// Makes a link over REST and returns what was answered.
async fn link(service: &TestService) -> Value {
    let key = service.key(Role::Ingest).await;
    let answer = service.post("/v1/feedback-links", &key, &json!({"subject": "u-1", "completion_id": "c-1"})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

async fn path(service: &TestService) -> String {
    link(service).await["path"].as_str().unwrap().to_owned()
}

/// Sends the form as a browser does whose page has `no-referrer`, and follows where that leads.
async fn send(service: &TestService, path: &str, form: &str) -> Answer {
    let request = service.request(Method::POST, path, "").header("content-type", FORM).header("origin", "null");
    service.send(request.body(form.to_owned())).await
}

/// Checks that a failure is told as a page, and returns its status and headline.
fn failure(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{}", answer.text);
    assert!(answer.header("content-security-policy").contains("form-action 'self'"));
    let headline = answer.text.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next());
    (answer.status, headline.unwrap_or_else(|| panic!("{}", answer.text)).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_a_link_records_nothing_and_its_form_records_what_it_says_once() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let path = path(&service).await;
    let before = service.checksum().await;

    let looked = service.get(&path, "").await;
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(service.send(service.request(method, &path, "")).await.status, 200);
    }
    assert_eq!(service.checksum().await, before, "a scanner that follows the link changes nothing");
    let up = send(&service, &path, "value=up").await;
    let again = send(&service, &path, "value=up").await;

    assert!(looked.text.contains("Was the answer helpful?") && !looked.text.contains("recorded:"), "{}", looked.text);
    assert_eq!((up.status, again.status), (200, 200), "{}", up.text);
    for page in [&up, &again] {
        assert!(page.text.contains("Your answer is recorded: <strong>Yes"), "{}", page.text);
    }
    assert_eq!(service.count("feedback").await, 1);
    let row: String = service
        .query("select concat_ws(' ', completion_id, user_id, signal, thumb, trust, length(comment)) from feedback")
        .await;
    assert_eq!(row, "c-1 u-1 thumb up verified");
    assert!(service.query::<bool>("select token_used_at is not null from projects").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mind_is_changed_back_and_forth_and_taken_back() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let path = path(&service).await;
    let forms = ["value=up", "value=down&reason=unclear&reason=incorrect&comment=So%0D%0Ano+%26+no.", "value=up"];

    for form in forms {
        assert_eq!(send(&service, &path, form).await.status, 200);
    }
    let told = service.get(&path, "").await;
    let withdrawn = send(&service, &path, "value=none").await;
    let nothing = send(&service, &path, "value=none").await;

    assert!(told.text.contains("recorded: <strong>Yes"), "the first answer, said again, is a new one: {}", told.text);
    assert!(!withdrawn.text.contains("recorded:") && !nothing.text.contains("recorded:"), "{}", withdrawn.text);
    let rows: Vec<String> = service
        .query(
            "select array_agg(concat_ws('|', thumb, array_to_string(reasons, ','), comment) order by effective_at)
               from feedback",
        )
        .await;
    assert_eq!(rows, ["up", "down|incorrect,unclear|So\nno & no.", "up", "none"]);
    let chain: i64 = service
        .query("select count(*) from feedback f join feedback before on f.supersedes = before.feedback_id")
        .await;
    assert_eq!(chain, 3, "each names the one that it replaces");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_kept_nowhere_found_by_no_search_and_told_to_no_other_site() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let path = path(&service).await;

    let shown = service.send(service.request(Method::GET, &path, "").header("origin", "https://mail.example")).await;
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let form = client.post(service.url(&path)).header("content-type", FORM).body("value=down");
    let led = form.send().await.unwrap();

    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex, nofollow, noarchive"),
        ("x-frame-options", "DENY"),
        ("content-type", "text/html; charset=utf-8"),
        ("access-control-allow-origin", ""),
    ] {
        assert_eq!(shown.header(name), value, "{name}");
    }
    let policy = shown.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert_eq!((led.status().as_u16(), &led.headers()["location"]), (303, &"?".parse().unwrap()));
    assert_eq!(led.headers()["cache-control"], "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mailer_adds_to_a_link_is_let_pass_and_a_thumb_may_be_chosen_in_it() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let path = path(&service).await;

    let chosen = service.get(&format!("{path}?utm_source=news&value=down&%zz"), "").await;
    let plain = service.get(&format!("{path}?value=down&utm_source=news"), "").await;
    let odd = service.get(&format!("{path}?value=none"), "").await;

    assert_eq!((chosen.status, odd.status), (200, 200), "a query that is broken chooses nothing");
    assert!(plain.text.contains("value=\"down\" required checked>"), "{}", plain.text);
    assert!(!odd.text.contains("checked>") && !chosen.text.contains("checked>"));
    assert_eq!(service.count("feedback").await, 0);
    assert_eq!(failure(&send(&service, &format!("{path}?value=up"), "value=up").await).0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_no_good_is_told_in_one_way_whatever_is_wrong_with_it() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let (admin, made) = (service.key(Role::Admin).await, link(&service).await);
    let good = made["path"].as_str().unwrap();
    let token = json!({"subject": "u-1", "completion_ids": ["c-1"], "signals": ["thumb"]});
    let token = service.post("/v1/feedback-tokens", &admin, &token).await.json();
    let brief = json!({"subject": "u-1", "completion_id": "c-1", "ttl_s": 1});
    let brief = service.post("/v1/feedback-links", &admin, &brief).await.json();
    let expired = brief["path"].as_str().unwrap().to_owned();
    let revoked = link(&service).await;
    let taken = service.post("/v1/feedback-tokens/revoke", &admin, &json!({"ids": [revoked["id"]]})).await;
    assert_eq!(taken.json(), json!({"revoked": 1}));
    // A token lives on for the leeway of five seconds.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(15);
    while service.get(&expired, "").await.status == 200 {
        assert!(std::time::Instant::now() < deadline, "an expired link is still believed");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    let mut pages = Vec::new();
    for path in [
        expired.as_str(),
        revoked["path"].as_str().unwrap(),
        &format!("/f/{}", token["token"].as_str().unwrap()),
        &good[..good.len() - 3],
        "/f/e30.e30.AAAA",
        "/f/CANARY",
    ] {
        for answer in [service.get(path, "").await, send(&service, path, "value=up").await] {
            assert_eq!(failure(&answer), (404, "This link cannot be used".to_owned()), "{path}");
            assert!(!answer.text.contains("CANARY"));
            pages.push(answer.text);
        }
    }
    let with_link = service.post("/v1/feedback", &good[3..], &thumb("c-1")).await;

    pages.dedup();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(with_link.problem(), (401, "credential_invalid".to_owned()), "what stands in a link opens nothing else");
    assert_eq!(service.count("feedback").await, 0);
    assert_eq!(service.get(good, "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_makes_no_sense_is_told_as_a_page_and_stores_nothing() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let path = path(&service).await;

    let long = format!("value=up&comment={}", "x".repeat((16 << 10) + 1));
    let huge = format!("value=up&comment={}", "x".repeat(300_000));
    for (form, status) in [
        ("", 422),
        ("value=CANARY", 422),
        ("value=up&value=down", 422),
        ("value=up&CANARY=1", 422),
        ("value=down&reason=CANARY", 422),
        ("value=up&comment=CANARY%00", 422),
        ("value=up&comment=CANARY%ff", 400),
        ("value=up&comment=CANARY%f", 400),
        (long.as_str(), 422),
        (huge.as_str(), 413),
    ] {
        let answer = send(&service, &path, form).await;
        assert_eq!(failure(&answer).0, status, "{:.40}: {}", form, answer.text);
        assert!(!answer.text.contains("CANARY"), "{}", answer.text);
    }
    let json = service.post(&path, "", &json!({"value": "up"})).await;
    let put = service.send(service.request(Method::PUT, &path, "")).await;

    assert_eq!((failure(&json).0, json.header("accept-post")), (415, FORM));
    assert_eq!((failure(&put).0, put.header("allow")), (405, "GET, POST"));
    assert_eq!(service.count("feedback").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_presses_too_often_is_told_when_to_come_back() {
    let quotas = Quotas { of_browser_key: 0, of_subject: 2, of_address: 0, of_secret_key: 0 };
    let service = TestService::start_with(HttpSettings { quotas, ..HttpSettings::default() }, false).await;
    let path = path(&service).await;

    let answers = [send(&service, &path, "value=up").await, send(&service, &path, "value=down").await];
    let beyond = send(&service, &path, "value=up").await;

    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(failure(&beyond), (429, "The quota is used up".to_owned()));
    let wait_s: u64 = beyond.header("retry-after").parse().unwrap();
    assert!((20..=40).contains(&wait_s), "{wait_s}");
    assert!(beyond.header("ratelimit").starts_with("\"subject\";r=0;"), "{}", beyond.header("ratelimit"));
    assert_eq!(service.count("feedback").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_told_whole_where_the_operator_says_how_people_reach_the_service() {
    let public_url = Some("https://feedback.example/aw".to_owned());
    let service = TestService::start_with(HttpSettings { public_url, ..HttpSettings::default() }, false).await;
    let without = TestService::start_with(HttpSettings::default(), false).await;

    let (told, bare) = (link(&service).await, link(&without).await);

    let path = told["path"].as_str().unwrap();
    assert_eq!(told["url"], format!("https://feedback.example/aw{path}"));
    assert!(path.starts_with("/f/") && told["expires_at"].is_string() && told["id"].is_string());
    assert_eq!(bare.get("url"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_say_in_a_users_name_is_not_shown_as_the_users_word() {
    let service = TestService::start_with(HttpSettings::default(), false).await;
    let (path, key) = (path(&service).await, service.key(Role::Ingest).await);
    let mut item = thumb("c-1");
    item["user"] = json!("u-1");
    let stranger = json!({"v": 1, "trust": "unverified", "feedback": [item]});
    assert_eq!(service.post("/v1/feedback", &key, &stranger).await.status, 200);

    let before = service.get(&path, "").await;
    let mut own = thumb("c-1");
    own["user"] = json!("u-1");
    assert_eq!(service.post("/v1/feedback", &key, &own).await.status, 200);
    let after = service.get(&path, "").await;

    assert!(!before.text.contains("recorded:") && after.text.contains("recorded: <strong>Yes"), "{}", after.text);
}
