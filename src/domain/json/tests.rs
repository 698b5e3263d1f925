//! What the reader of JSON refuses, and what it keeps.

use super::*;

#[test]
fn a_key_that_comes_twice_is_refused_in_small_and_large_objects() {
    let large = (0..40).map(|n| format!("\"k{n}\":{n},")).collect::<Vec<_>>().concat();
    assert!(matches!(Json::parse(br#"{"a":1,"a":2}"#), Err(JsonError::DuplicateKey { .. })));
    assert!(matches!(Json::parse(format!("{{{large}\"k3\":0}}").as_bytes()), Err(JsonError::DuplicateKey { .. })));
    assert!(Json::parse(format!("{{{large}\"k40\":0}}").as_bytes()).is_ok());
}

#[test]
fn nesting_is_accepted_up_to_the_limit_and_refused_beyond_it() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(Json::parse(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooDeep { max_depth: MAX_DEPTH }));
    assert!(Json::parse_foreign(nested(MAX_FOREIGN_DEPTH).as_bytes()).is_ok());
    let too_deep = Err(JsonError::TooDeep { max_depth: MAX_FOREIGN_DEPTH });
    assert_eq!(Json::parse_foreign(nested(MAX_FOREIGN_DEPTH + 1).as_bytes()), too_deep);
}

#[test]
fn a_stream_is_read_value_by_value_and_its_bounds_hold_for_all_of_it() {
    let values = Json::parse_stream(b"{\"a\":1}\n\n[2]\n\"x\" null").unwrap();
    assert_eq!(values.len(), 4);
    assert_eq!(values[1], Json::Array(vec![Json::Integer(2)]));
    for text in ["", " \n", "{}{", "{} x", "{}\n{\"a\":1,}"] {
        assert!(matches!(Json::parse_stream(text.as_bytes()), Err(JsonError::Syntax { .. })), "{text}");
    }
    let half = format!("[{}0]", "0,".repeat(MAX_VALUES / 2 - 2));
    assert!(Json::parse_stream(format!("{half}\n{half}").as_bytes()).is_ok());
    assert_eq!(Json::parse_stream(format!("{half}{half}0").as_bytes()), Err(JsonError::TooManyValues));
    assert_eq!(Json::parse_stream(b"{} 18446744073709551616"), Err(JsonError::IntegerTooLarge));
}

#[test]
fn as_many_values_as_the_bound_are_read_and_no_more() {
    let list = |n_values: usize| format!("[{}0]", "0,".repeat(n_values - 2));
    assert!(Json::parse(list(MAX_VALUES).as_bytes()).is_ok());
    assert_eq!(Json::parse(list(MAX_VALUES + 1).as_bytes()), Err(JsonError::TooManyValues));
    let object = format!("{{\"a\":{}}}", list(MAX_VALUES));
    assert_eq!(Json::parse(object.as_bytes()), Err(JsonError::TooManyValues));
}

#[test]
fn an_integer_that_does_not_fit_64_bits_is_refused_rather_than_rounded() {
    for text in ["18446744073709551616", "[1,{\"a\":-9223372036854775809}]", "[\"\\\"\",1180591620717411303424]"] {
        assert_eq!(Json::parse(text.as_bytes()), Err(JsonError::IntegerTooLarge), "{text}");
    }
    for text in ["18446744073709551615", "-9223372036854775808", "1e30", "[1e30,\"\\\\118059162071741130342400\"]"] {
        assert!(Json::parse(text.as_bytes()).is_ok(), "{text}");
    }
    assert!(Json::parse(b"118059162071741130342400.5").is_ok());
}

#[test]
fn what_is_not_json_is_a_syntax_error_that_quotes_nothing() {
    for text in ["{\"secret\":", "", "[1,]", "{\"a\":1}x", "\"\\ud800\"", "1e400", "NaN", "\u{feff}{}"] {
        let error = Json::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, JsonError::Syntax { .. }), "{text}");
        assert!(!error.to_string().contains("secret"));
    }
    assert!(Json::parse(b"\"\xff\"").is_err());
}

#[test]
fn the_canonical_form_ignores_key_order_and_null_members() {
    let canonical = |text: &[u8], is_kept: fn(&str) -> bool| {
        let mut buffer = Vec::new();
        Json::parse(text).unwrap().write_canonical(&mut buffer, is_kept);
        String::from_utf8(buffer).unwrap()
    };
    let text = br#"{"b":[{"y":1.5,"x":null},null,"\n\u00e9\"",-3,true,[]],"a":{"id":2},"id":{}}"#;

    assert_eq!(canonical(text, keep_all), r#"{"a":{"id":2},"b":[{"y":1.5},null,"\né\"",-3,true,[]],"id":{}}"#);
    assert_eq!(canonical(br#"{"a":2,"b":[{"y":1}],"c":null}"#, keep_all), r#"{"a":2,"b":[{"y":1}]}"#);
    assert_eq!(
        canonical(text, |key| key != "id"),
        r#"{"a":{"id":2},"b":[{"y":1.5},null,"\né\"",-3,true,[]]}"#,
        "only members of the outermost object are left out"
    );
}
