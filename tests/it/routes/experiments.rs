//! `/v1/experiments`.

use afterword::domain::assignment::place;
use afterword::domain::experiment::Experiment;
use afterword::domain::json::Json;
use afterword::domain::principal::Role;
use serde_json::{Value, json};

use super::{completion, with};
use crate::support::TestService;

const DOCUMENT: &str = include_str!("../../../docs/experiments.md");

fn experiment() -> Value {
    json!({"key": "llama swap/1", "control": "old", "unit": "user", "margins": {"good_turn": 0.05},
           "variants": [{"name": "old", "model": "m-1", "share": 0.5}, {"name": "new", "model": "m-2", "share": 0.5}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_declared_once_and_never_changed() {
    let service = TestService::start().await;
    let (analyst, viewer) = (service.key(Role::Analyst).await, service.key(Role::Viewer).await);

    let first = service.post("/v1/experiments", &analyst, &experiment()).await;
    let again = service.post("/v1/experiments", &analyst, &experiment()).await;
    let other = service.post("/v1/experiments", &analyst, &with(&experiment(), "control", json!("new"))).await;

    assert_eq!((first.status, again.status), (201, 200), "{}", first.text);
    assert_eq!(first.json(), again.json());
    assert_eq!(other.problem(), (409, "experiment_conflict".to_owned()));
    assert_eq!(first.header("location"), "/v1/experiments/llama%20swap%2F1");
    let shown = service.get(first.header("location"), &viewer).await;
    assert_eq!((shown.status, shown.json()), (200, first.json()));
    assert_eq!(service.get("/v1/experiments", &viewer).await.json(), json!({"experiments": [first.json()]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_that_nobody_declared_is_not_found_whatever_its_key_holds() {
    let service = TestService::start().await;
    let key = service.key(Role::Viewer).await;

    for address in ["/v1/experiments/absent", "/v1/experiments/%00", "/v1/experiments/a%00b"] {
        assert_eq!(service.get(address, &key).await.problem(), (404, "not_found".to_owned()), "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_gets_the_variant_that_everybody_computes() {
    let service = TestService::start().await;
    let (analyst, ingest) = (service.key(Role::Analyst).await, service.key(Role::Ingest).await);
    let declared = service.post("/v1/experiments", &analyst, &experiment()).await;
    let address = declared.header("location").to_owned();
    let declared: Experiment =
        Experiment::from_json(Json::parse(experiment().to_string().as_bytes()).unwrap()).unwrap();

    for unit in ["u-1", "u-2", "u-3", "J%C3%BCrgen%20%E2%98%95"] {
        let answer = service.get(&format!("{address}/assignment?unit={unit}"), &ingest).await;

        let plain = if unit.starts_with('J') { "Jürgen ☕" } else { unit };
        let variant = declared.assign(plain).unwrap();
        let expected =
            json!({"experiment": "llama swap/1", "unit": plain, "variant": variant.name, "model": variant.model});
        assert_eq!((answer.status, answer.json()), (200, expected));
    }
    assert_eq!(service.count("exposures").await, 0, "to ask is not to be exposed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_for_a_variant_that_makes_no_sense_is_refused() {
    let service = TestService::start().await;
    let key = service.key(Role::Analyst).await;
    let declared = service.post("/v1/experiments", &key, &experiment()).await;
    let address = declared.header("location").to_owned();

    for (query, code) in [
        ("", "required"),
        ("?unit=", "empty"),
        ("?unit=a&unit=b", "contradiction"),
        ("?unit=a&variant=new", "unknown_field"),
        ("?unit=%00", "nul_character"),
    ] {
        let answer = service.get(&format!("{address}/assignment{query}"), &key).await;
        assert_eq!(answer.problem(), (422, code.to_owned()), "{query}: {}", answer.text);
    }
    let absent = service.get("/v1/experiments/absent/assignment?unit=a", &key).await;
    assert_eq!(absent.problem(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_stopped_once_and_later_completions_are_not_compared() {
    let service = TestService::start().await;
    let (analyst, ingest) = (service.key(Role::Analyst).await, service.key(Role::Ingest).await);
    let declared = service.post("/v1/experiments", &analyst, &experiment()).await;
    let address = declared.header("location").to_owned();
    let send = async |id: &str, variant: &str| {
        let item = with(&with(&completion(id), "experiment", json!("llama swap/1")), "variant", json!(variant));
        assert_eq!(service.post("/v1/completions", &ingest, &item).await.status, 200);
    };
    send("c-1", "old").await;
    send("c-2", "new").await;

    let first = service.post(&format!("{address}/stop"), &analyst, &json!({})).await;
    let again = service.post(&format!("{address}/stop"), &analyst, &json!({})).await;
    send("c-3", "new").await;

    assert_eq!((first.status, again.status), (200, 200), "{}", first.text);
    assert!(first.json()["stopped_at"].is_string());
    assert_eq!(first.json(), again.json());
    assert_eq!(service.get(&address, &analyst).await.json(), first.json());
    let compared = service.get("/v1/comparisons?experiment=llama%20swap/1", &analyst).await.json();
    assert_eq!(compared["candidate"]["n_completions"], 1, "{compared}");
    assert_eq!(compared["filters"]["to"], first.json()["stopped_at"]);
    let absent = service.post("/v1/experiments/absent/stop", &analyst, &json!({})).await;
    assert_eq!(absent.problem(), (404, "not_found".to_owned()));
}

/// Runs a snippet of the document with lines after it that print what it says of the document's own table.
async fn run(program: &str, flags: &[&str], language: &str, and_then: &str) -> String {
    let start = format!("```{language}\n");
    let snippet = DOCUMENT.split_once(&start).unwrap().1.split_once("```").unwrap().0;
    let output =
        tokio::process::Command::new(program).args(flags).arg(format!("{snippet}{and_then}")).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_documented_lines_of_python_and_javascript_assign_as_the_service_does() {
    let python = afterword::config::environment("AFTERWORD_PYTHON").unwrap_or_else(|| "python3".to_owned());
    let text = r#"{"key":"llama-swap","control":"a","variants":[{"name":"a","share":0.5},{"name":"b","share":0.3},
                   {"name":"c","share":0.2}]}"#;
    let ours = Experiment::from_json(Json::parse(text.as_bytes()).unwrap()).unwrap();
    let units: Vec<String> = (0..500).map(|number| format!("Nutzer ☕ {number}")).collect();
    let expected: Vec<&str> = units.iter().map(|unit| ours.assign(unit).unwrap().name.as_str()).collect();

    let in_python =
        "print(*[assign('llama-swap', f'Nutzer ☕ {n}', [('a', .5), ('b', .3), ('c', .2)]) for n in range(500)])";
    let in_js = "const all = []; for (let n = 0; n < 500; n++) \
                 all.push(await assign('llama-swap', `Nutzer ☕ ${n}`, [['a', .5], ['b', .3], ['c', .2]])); \
                 console.log(all.join(' '));";
    for said in [
        run(&python, &["-c"], "python", in_python).await,
        run("node", &["--input-type=module", "-e"], "js", in_js).await,
    ] {
        assert_eq!(said.trim(), expected.join(" "));
    }
    for (key, unit, variant) in [
        ("llama-swap", "u-1", "b"),
        ("llama-swap", "u-2", "a"),
        ("another", "u-1", "a"),
        ("llama-swap", "Jürgen ☕", "c"),
    ] {
        let row = format!("| `{key}` | `{unit}` | {} | `{variant}` |", place(key, unit));
        assert!(DOCUMENT.contains(&row), "{row}");
        let experiment = Experiment { key: key.to_owned(), ..ours.clone() };
        assert_eq!(experiment.assign(unit).unwrap().name, variant);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_that_contradicts_itself_is_refused() {
    let service = TestService::start().await;
    let key = service.key(Role::Analyst).await;
    let shares = json!([{"name": "old", "share": 0.5}, {"name": "new", "share": 0.6}]);

    for (name, value, code, pointer) in [
        ("control", json!("third"), "not_one_of", "/control"),
        ("variants", shares, "out_of_range", "/variants"),
        ("margins", json!({"happiness": 0.1}), "unknown_field", "/margins"),
        ("more", json!(1), "unknown_field", ""),
    ] {
        let answer = service.post("/v1/experiments", &key, &with(&experiment(), name, value)).await;
        assert_eq!(answer.problem(), (422, code.to_owned()), "{}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
    }
    assert_eq!(service.count("experiments").await, 0);
}
