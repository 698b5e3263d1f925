//! `afterword sdk`: the element to paste into a page.

use super::program::{afterword, run};

#[test]
fn the_element_names_the_script_by_its_hash_and_needs_no_database() {
    let mut command = afterword(&["sdk", "--endpoint", "https://feedback.example/"]);
    command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");

    let outcome = run(&mut command);

    assert_eq!((outcome.status, outcome.err.as_str()), (Some(0), ""));
    let begins = "<script src=\"https://feedback.example/sdk/v1/afterword.";
    assert!(outcome.out.starts_with(begins), "{}", outcome.out);
    assert!(outcome.out.contains(".js\" integrity=\"sha384-") && outcome.out.ends_with("\"></script>\n"));
    assert!(run(&mut afterword(&["sdk"])).out.starts_with("<script src=\"/sdk/v1/afterword."));
}

#[test]
fn an_endpoint_that_is_none_is_refused() {
    run(&mut afterword(&["sdk", "--endpoint", "https://a.example/\"><b>"])).assert_refused(2, "must be an origin");
}
