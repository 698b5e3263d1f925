//! What a recipe asks of completions, whatever the evidence says.

use afterword::dataset::example::Body;
use afterword::domain::completion::Completion;
use afterword::domain::principal::Trust;
use afterword::domain::recipe::{Consent, FinishReason, Format, Options, Policy, SystemPrompt};
use afterword::domain::trust::TrustFilter;

use super::fixtures::{
    Case, answer, better, changed, check, down, message, options, pairs_of, react, recipe, says, summary, two, up,
    with, yield_of,
};

#[test]
fn consent_that_is_absent_can_be_settled_elsewhere_and_a_refusal_cannot() {
    let prefer_a = || vec![react(1, "u", "a", better("b"))];
    let other = |change: fn(&mut Completion)| vec![answer("a"), with(answer("b"), change)];
    let default = Options::default;
    let pair = "a>b by preference";
    let cases: Vec<Case> = vec![
        ("no consent", other(|b| b.consent_training = None), prefer_a(), default(), "1 consent_missing"),
        ("refused", other(|b| b.consent_training = Some(false)), prefer_a(), default(), "1 consent_refused"),
        (
            "refused, and settled elsewhere",
            other(|b| b.consent_training = Some(false)),
            prefer_a(),
            options(|options| options.consent = Consent::Ignore),
            "1 consent_refused",
        ),
        (
            "consent settled elsewhere",
            other(|b| b.consent_training = None),
            prefer_a(),
            options(|options| options.consent = Consent::Ignore),
            pair,
        ),
    ];
    check(cases, pairs_of);
}

#[test]
fn what_a_pair_needs_of_its_answers_is_counted_under_its_own_reason() {
    let prefer_a = || vec![react(1, "u", "a", better("b"))];
    let other = |change: fn(&mut Completion)| vec![answer("a"), with(answer("b"), change)];
    let default = Options::default;
    let lax = || options(|options| options.finish_reason = FinishReason::Any);
    let pair = "a>b by preference";
    let cases: Vec<Case> = vec![
        ("cut", other(|b| b.finish_reason = Some("length".into())), prefer_a(), default(), "1 finish_reason_not_stop"),
        ("unknown end", other(|b| b.finish_reason = None), prefer_a(), default(), "1 finish_reason_missing"),
        ("cut, and that is fine", other(|b| b.finish_reason = Some("length".into())), prefer_a(), lax(), pair),
        ("one selected", other(|b| b.selected = false), prefer_a(), default(), pair),
        (
            "none selected",
            vec![with(answer("a"), |a| a.selected = false), with(answer("b"), |b| b.selected = false)],
            prefer_a(),
            default(),
            "1 not_selected",
        ),
        ("two models", other(|b| b.model = "model-2".into()), prefer_a(), default(), pair),
        (
            "two models where one is asked for",
            other(|b| b.model = "model-2".into()),
            prefer_a(),
            options(|options| options.policy = Policy::SameModel),
            "1 other_model",
        ),
        ("tools offered", other(|b| b.has_tools = true), prefer_a(), default(), "1 tool_calls"),
        (
            "the answer calls a tool",
            other(|b| b.response = message(r#"{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}"#)),
            prefer_a(),
            default(),
            "1 tool_calls",
        ),
        (
            "the answer is a refusal",
            other(|b| b.response = message(r#"{"role":"assistant","content":null,"refusal":"no"}"#)),
            prefer_a(),
            default(),
            "1 not_plain_text",
        ),
        ("empty", other(|b| b.response = says("assistant", " \n")), prefer_a(), default(), "1 empty_text"),
        (
            "the same text but for white space",
            other(|b| b.response = says("assistant", "The answer  called a names two rivers. ")),
            prefer_a(),
            default(),
            "1 identical_texts",
        ),
        (
            "another case is another text",
            other(|b| b.response = says("assistant", "the answer called a names two rivers.")),
            prefer_a(),
            default(),
            pair,
        ),
    ];
    check(cases, pairs_of);
}

#[test]
fn answers_of_other_models_than_the_one_asked_for_are_left_out() {
    let prefer_a = || vec![react(1, "u", "a", better("b"))];
    let other = |change: fn(&mut Completion)| vec![answer("a"), with(answer("b"), change)];
    let cases: Vec<Case> = vec![
        (
            "the model asked for",
            two(),
            prefer_a(),
            options(|options| options.target_model = "model-1".into()),
            "a>b by preference",
        ),
        (
            "one answer of another model than asked for",
            other(|b| b.model = "model-2".into()),
            prefer_a(),
            options(|options| options.target_model = "model-1".into()),
            "1 other_model",
        ),
    ];
    check(cases, pairs_of);
}

#[test]
fn a_row_is_too_long_from_the_first_character_over_the_bound_on() {
    let prefer_a = || vec![react(1, "u", "a", better("b"))];
    let pair = "a>b by preference";
    let cases: Vec<Case> = vec![
        ("too long", two(), prefer_a(), options(|options| options.max_chars = 50), "1 too_long"),
        ("just fits", two(), prefer_a(), options(|options| options.max_chars = 111), pair),
        ("one character too many", two(), prefer_a(), options(|options| options.max_chars = 110), "1 too_long"),
    ];
    check(cases, pairs_of);
}

#[test]
fn answers_that_were_judged_each_by_itself_must_both_be_selected() {
    let answers = |is_selected: bool| vec![answer("a"), with(answer("b"), |b| b.selected = is_selected)];
    let thumbs = || vec![react(1, "u", "a", up()), react(2, "u", "b", down())];
    let cases: Vec<Case> = vec![
        ("both selected", answers(true), thumbs(), Options::default(), "a>b by thumb_up_down"),
        ("one selected", answers(false), thumbs(), Options::default(), "1 not_selected"),
    ];
    check(cases, pairs_of);
}

#[test]
fn prompts_become_turns_that_every_trainer_takes() {
    let parts = r#"{"role":"user","content":[{"type":"text","text":"Which "},{"type":"text","text":"one?"}]}"#;
    let image = r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}"#;
    let keep = SystemPrompt::Keep;
    let table = [
        (vec![says("developer", "Be brief."), says("user", "Q")], keep, "system:Be brief.|user:Q"),
        (vec![says("developer", "Be brief."), says("user", "Q")], SystemPrompt::Drop, "user:Q"),
        (vec![says("developer", "Be brief."), says("user", "Q")], SystemPrompt::Replace, "system:Ours.|user:Q"),
        (vec![says("user", "Q")], SystemPrompt::Replace, "system:Ours.|user:Q"),
        (vec![message(parts)], keep, "user:Which one?"),
        (vec![says("user", "1"), says("assistant", "2"), says("user", "3")], keep, "user:1|assistant:2|user:3"),
        (vec![message(image)], keep, "not_plain_text"),
        (vec![says("user", "Q"), says("assistant", "A")], keep, "prompt_not_ending_with_user"),
        (vec![says("system", "S")], SystemPrompt::Drop, "prompt_not_ending_with_user"),
        (vec![says("user", "Q"), says("function", "A")], keep, "tool_calls"),
        (vec![says("user", "Q"), says("tool", "A")], keep, "tool_calls"),
    ];
    for (prompt, system_prompt, expected) in table {
        let answers = ["a", "b"].map(|name| with(answer(name), |answer| answer.prompt = prompt.clone()));
        let options = options(|options| {
            options.system_prompt = system_prompt;
            options.system_prompt_text = "Ours.".to_owned();
        });

        let harvest = pairs_of(&answers, &[react(1, "u", "a", better("b"))], &options);

        let got = match harvest.examples.first().map(|example| &example.body) {
            Some(Body::Pair { prompt, .. }) => {
                prompt.iter().map(|turn| format!("{}:{}", turn.role, turn.content)).collect::<Vec<_>>().join("|")
            }
            _ => harvest.exclusions.0.keys().copied().collect(),
        };
        assert_eq!(got, expected);
    }
}

#[test]
fn unverified_feedback_enters_only_on_request() {
    let feedback = [changed(react(1, "u", "a", better("b")), |item| {
        item.trust = Trust::Unverified;
    })];

    let strict = pairs_of(&two(), &feedback, &Options::default());
    let mut everybody = recipe(Format::Preference, Options::default());
    everybody.selection.trust = Some(TrustFilter::Any);
    let open = yield_of(&two(), &feedback, &everybody);

    assert_eq!(summary(&strict), "");
    assert_eq!(strict.feedback_left_out.0, [("untrusted", 1)].into());
    assert_eq!(summary(&open), "a>b by preference");
}
