//! The header in which an engine tells its load together with an answer, addresses of targets, and names of models.

use afterword::engine::orca::ReplyLoad;
use afterword::engine::target::{ModelNames, TargetUrl};

#[test]
fn the_header_is_read_in_each_of_its_spellings() {
    let load = |kv_cache_usage, n_waiting| ReplyLoad { kv_cache_usage, n_waiting };
    for (header, expected) in [
        (
            "TEXT named_metrics.kv_cache_usage_perc=0.62, named_metrics.num_requests_waiting=3",
            load(Some(0.62), Some(3)),
        ),
        ("kv_cache_usage_perc=0.62,num_requests_waiting=3", load(Some(0.62), Some(3))),
        (
            r#"JSON {"named_metrics": {"kv_cache_usage_perc": 0.62, "num_requests_waiting": 3}}"#,
            load(Some(0.62), Some(3)),
        ),
        (r#"{"named_metrics":{"kv_cache_usage_perc":0.62,"num_requests_waiting":3.0}}"#, load(Some(0.62), Some(3))),
        (r#"{"kv_cache_usage_perc":0}"#, load(Some(0.0), None)),
        ("TEXT gpu_cache_usage_perc=0.5", load(Some(0.5), None)),
        ("TEXT kv_cache_usage_perc=1.5, num_requests_waiting=-1", load(None, None)),
        ("TEXT kv_cache_usage_perc=NaN, num_requests_waiting=2.5", load(None, None)),
        ("JSON {\"named_metrics\":", load(None, None)),
        ("", load(None, None)),
    ] {
        assert_eq!(ReplyLoad::parse(header), expected, "{header}");
    }
}

#[test]
fn an_address_has_a_host_and_no_password() {
    for good in ["http://127.0.0.1:8000/metrics", "https://gpu-1.internal/metrics?format=prometheus", "http://[::1]:80"]
    {
        assert_eq!(TargetUrl::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "ftp://h/",
        "file:///etc/passwd",
        "http://",
        "http:///metrics",
        "http://u:p@h/",
        "http://h/#x",
        "http://h\\@x/",
        "http://h/ x",
        "http://h/\n",
        "HTTP://h/",
        "//h/",
        "h:8000/metrics",
        "http://:80/",
        "http://h/@x",
    ] {
        assert_eq!(TargetUrl::parse(bad), None, "{bad}");
    }
    let beside = |text: &str| TargetUrl::parse(text).unwrap().beside("/slots").as_str().to_owned();
    assert_eq!(beside("http://h:8080/metrics?x=1"), "http://h:8080/slots");
    assert_eq!(beside("https://h"), "https://h/slots");
    assert_eq!(beside("http://h?x=/y"), "http://h/slots");
}

#[test]
fn an_address_is_shown_without_its_query() {
    let url = TargetUrl::parse("http://h/metrics?key=canary").unwrap();

    assert_eq!(format!("{url:?}"), "http://h/metrics");
}

#[test]
fn models_are_called_as_the_operator_says() {
    let called = |text: &str, reported: Option<&str>| {
        ModelNames::parse(text).map(|names| names.called(reported).map(str::to_owned))
    };
    for (text, reported, expected) in [
        ("", Some("a"), Some(Some("a"))),
        ("", None, Some(None)),
        ("river", None, Some(Some("river"))),
        ("river", Some("tensorrt_llm"), Some(Some("river"))),
        ("a=river, b = sea", Some("b"), Some(Some("sea"))),
        ("a=river", Some("c"), Some(Some("c"))),
        ("a=river", None, Some(None)),
        ("a=", Some("a"), None),
        ("a=b,", Some("a"), None),
        ("a,b", Some("a"), None),
    ] {
        assert_eq!(called(text, reported), expected.map(|name| name.map(str::to_owned)), "{text}, {reported:?}");
    }
}
