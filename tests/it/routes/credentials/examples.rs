//! The examples of `docs/credentials.md` that mint tokens offline, run as they stand there.

use std::process::Command;

use serde_json::json;

use super::super::thumb;
use super::{from_page, make_key, minting};
use crate::support::TestService;

const DOCUMENT: &str = include_str!("../../../../docs/credentials.md");

/// Returns the blocks of a language whose first line names a file.
fn example(file: &str) -> String {
    let block = DOCUMENT.split("```").find(|block| block.lines().nth(1).is_some_and(|line| line.contains(file)));
    let block = block.unwrap_or_else(|| panic!("{file} is not in the document"));
    block.split_once('\n').unwrap().1.to_owned()
}

/// Runs an example with a key in its environment; nothing where its program is absent, which is said loudly.
fn run(program: &str, file: &str, variables: &[(&str, &str)]) -> Option<String> {
    if Command::new(program).arg("--version").output().is_err() {
        eprintln!("NOT RUN: {program} is absent, so that the example {file} was not tried");
        return None;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join(file);
    std::fs::write(&path, example(file)).unwrap();
    let output = Command::new(program).arg(&path).envs(variables.iter().copied()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file}: {told}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_mint_tokens_that_the_service_takes() {
    let service = TestService::start().await;
    let made = make_key(&service, json!({"kind": "signing", "name": "tokens", "algorithm": "HS256"})).await;
    let seed = afterword::service::signature::private_key_of([9; 32]).unwrap();
    let uploaded = json!({"kind": "signing", "name": "tokens", "algorithm": "EdDSA",
                          "public_key": seed.public_key.to_pem()});
    let ed = make_key(&service, uploaded).await;
    let issuer = made["issuer"].as_str().unwrap();
    let shared = [("AFTERWORD_SIGNING_KEY", made["key"].as_str().unwrap()), ("AFTERWORD_ISSUER", issuer)];
    let private = [
        ("AFTERWORD_PRIVATE_KEY", seed.private_pem.as_str()),
        ("AFTERWORD_KEY_ID", ed["id"].as_str().unwrap()),
        ("AFTERWORD_ISSUER", issuer),
    ];
    let python = afterword::config::environment("AFTERWORD_PYTHON").unwrap_or_else(|| "python3".to_owned());

    let mut n_taken = 0;
    for token in
        [run("node", "mint.mjs", &shared), run("node", "mint-eddsa.mjs", &private), run(&python, "mint.py", &shared)]
    {
        let Some(token) = token else { continue };
        let answer = from_page(&service, &token, None, &thumb("c-1")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        n_taken += 1;
    }

    let verified = "select count(*) from feedback where trust = 'verified' and user_id = 'u-1'";
    assert_eq!(service.query::<i64>(verified).await, n_taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_example_is_the_code_that_is_tried_here() {
    let service = TestService::start().await;
    let made = make_key(&service, json!({"kind": "signing", "name": "tokens", "algorithm": "HS256"})).await;
    let (key, issuer) = (made["key"].as_str().unwrap(), made["issuer"].as_str().unwrap());

    let token = minting::mint(key, issuer, "u-1", &["c-1"]).unwrap();

    assert_eq!(from_page(&service, &token, None, &thumb("c-1")).await.status, 200);
    let code = include_str!("minting.rs").split_once("\n\n").unwrap().1;
    assert!(DOCUMENT.contains(code.trim()), "the example in docs/credentials.md differs from minting.rs");
}
