//! Whether an answer refuses to answer.
//!
//! Users thumb refusals down, and a model that is trained to prefer the other answer unlearns to refuse (arXiv
//! 2409.12914). The rule is conservative: an answer is a refusal only where it begins with one, after an apology at most;
//! one that refuses in its second paragraph, or in a language that is not listed here, is not found.

use std::sync::LazyLock;

/// Characters of an answer's beginning that are looked at.
const N_CHARS: usize = 160;

/// The phrases.
const PHRASES: &str = include_str!("refusals.txt");

/// The phrases by what they are for.
#[derive(Default)]
struct Phrases {
    openings: Vec<&'static str>,
    /// Sorted, and none begins with another one.
    refusals: Vec<String>,
}

static KNOWN: LazyLock<Phrases> = LazyLock::new(|| {
    fn of(section: &'static str) -> impl Iterator<Item = &'static str> {
        phrases(section).map(|(_, phrase)| phrase)
    }
    let of_verbs = of("inabilities").flat_map(|inability| of("verbs").map(move |verb| format!("{inability} {verb}")));
    let mut refusals: Vec<String> = of("refusals").map(str::to_owned).chain(of_verbs).collect();
    refusals.sort_unstable();
    refusals.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
    Phrases { openings: of("openings").collect(), refusals }
});

/// Lists the phrases of a section with their languages.
fn phrases(section: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let head = format!("[{section}]");
    let lines = PHRASES.lines().skip_while(move |line| *line != head).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once(": "));
    let lines = lines.filter(|(language, _)| language.len() == 2);
    lines.flat_map(|(language, phrases)| phrases.split(" | ").map(move |phrase| (language, phrase)))
}

/// Languages whose refusals are known, as tags.
pub const LANGUAGES: [&str; 14] = ["ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh"];

/// Tells whether an answer begins with a refusal.
pub fn is_refusal(answer: &str) -> bool {
    let folded = fold(answer);
    let mut rest = folded.as_str();
    // An apology, whom it comes from, and a `but` may follow each other.
    for _ in 0..6 {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        // Of phrases none of which begins with another, the last one that is not behind the text is the only candidate.
        let n_before = KNOWN.refusals.partition_point(|refusal| refusal.as_str() <= rest);
        if KNOWN.refusals[..n_before].last().is_some_and(|refusal| rest.starts_with(refusal.as_str())) {
            return true;
        }
        match KNOWN.openings.iter().filter_map(|opening| after(rest, opening)).min_by_key(|rest| rest.len()) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    false
}

/// Returns what follows an opening; it must end where a word does.
fn after<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(opening)?;
    let ends_a_word = !rest.starts_with(|c: char| c.is_alphanumeric()) || !opening.is_ascii() && has_no_spaces(opening);
    ends_a_word.then_some(rest)
}

fn has_no_spaces(opening: &str) -> bool {
    opening.chars().next().is_some_and(|c| matches!(c, '\u{3041}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}'))
}

/// Folds the beginning of an answer: lower case, one kind of apostrophe, single spaces, no marks of emphasis.
fn fold(answer: &str) -> String {
    let mut folded = String::new();
    for character in answer.trim_start().chars().take(N_CHARS) {
        match character {
            '\u{2018}' | '\u{2019}' | '\u{2BC}' | '`' => folded.push('\''),
            '*' | '_' | '#' | '>' | '"' | '\u{201C}' | '\u{201D}' => {}
            c if c.is_whitespace() => {
                if !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            c if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            c => folded.extend(c.to_lowercase()),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_found_in_every_language_of_the_list() {
        for (language, answer) in [
            ("en", "I'm sorry, but I can\u{2019}t help with that."),
            ("en", "I cannot assist with this request."),
            ("en", "Sorry, as an AI language model, I am unable to provide instructions for that."),
            ("en", "**I\u{2019}m really sorry**, but I won't be able to help with that."),
            ("en", "Unfortunately, I must decline."),
            ("de", "Es tut mir leid, aber ich kann dir dabei nicht helfen."),
            ("de", "Leider kann ich diese Anfrage nicht erf\u{fc}llen."),
            ("fr", "Je suis d\u{e9}sol\u{e9}, mais je ne peux pas vous aider avec cela."),
            ("es", "Lo siento, pero no puedo ayudarte con eso."),
            ("it", "Mi dispiace, ma non posso aiutarti con questa richiesta."),
            ("pt", "Desculpe, mas n\u{e3}o posso ajudar com isso."),
            ("nl", "Het spijt me, maar ik kan je daar niet mee helpen."),
            ("pl", "Przykro mi, ale nie mog\u{119} pom\u{f3}c w tej sprawie."),
            (
                "ru",
                "\u{418}\u{437}\u{432}\u{438}\u{43d}\u{438}\u{442}\u{435}, \u{43d}\u{43e} \u{44f} \u{43d}\u{435} \u{43c}\u{43e}\u{433}\u{443} \u{43f}\u{43e}\u{43c}\u{43e}\u{447}\u{44c} \u{441} \u{44d}\u{442}\u{438}\u{43c}.",
            ),
            ("tr", "\u{dc}zg\u{fc}n\u{fc}m, ancak bu konuda yard\u{131}mc\u{131} olamam."),
            (
                "zh",
                "\u{5F88}\u{62B1}\u{6B49}\u{FF0C}\u{6211}\u{65E0}\u{6CD5}\u{63D0}\u{4F9B}\u{8FD9}\u{4E2A}\u{4FE1}\u{606F}\u{3002}",
            ),
            (
                "ja",
                "\u{7533}\u{3057}\u{8A33}\u{3042}\u{308A}\u{307E}\u{305B}\u{3093}\u{304C}\u{3001}\u{304A}\u{624B}\u{4F1D}\u{3044}\u{3067}\u{304D}\u{307E}\u{305B}\u{3093}\u{3002}",
            ),
            (
                "ko",
                "\u{C8C4}\u{C1A1}\u{D569}\u{B2C8}\u{B2E4}\u{B9CC} \u{B3C4}\u{C640}\u{B4DC}\u{B9B4} \u{C218} \u{C5C6}\u{C2B5}\u{B2C8}\u{B2E4}.",
            ),
            (
                "ar",
                "\u{622}\u{633}\u{641}\u{60C} \u{644}\u{627} \u{64A}\u{645}\u{643}\u{646}\u{646}\u{64A} \u{645}\u{633}\u{627}\u{639}\u{62F}\u{62A}\u{643} \u{641}\u{64A} \u{630}\u{644}\u{643}.",
            ),
        ] {
            assert!(LANGUAGES.contains(&language));
            assert!(is_refusal(answer), "{language}: {answer}");
        }
    }

    #[test]
    fn answers_that_apologise_or_speak_of_refusing_are_none() {
        for answer in [
            "",
            "I'm sorry to hear that you are unwell. Drink water.",
            "Sorry for the confusion! The capital is Canberra.",
            "I can't believe how easy this is: use a loop.",
            "I can help with that.",
            "Sure! But note that I cannot provide legal advice.",
            "You can't help everybody, but you can try.",
            "To refuse politely, write: \u{201C}I'm sorry, but I can't help with that.\u{201D}",
            "Unfortunately, the train was late.",
            "No. The answer is 4.",
            "Butter is made of cream.",
            "Es tut mir leid, das zu h\u{f6}ren.",
            "Aberdeen liegt in Schottland.",
            "No puedes dividir por cero, porque el resultado no est\u{e1} definido.",
            "\u{62B1}\u{6B49}\u{8BA9}\u{60A8}\u{4E45}\u{7B49}\u{4E86}\u{FF0C}\u{7B54}\u{6848}\u{662F}\u{56DB}\u{3002}",
            "\u{1F600}",
        ] {
            assert!(!is_refusal(answer), "{answer}");
        }
    }

    #[test]
    fn every_language_has_phrases_that_are_folded_as_answers_are() {
        for section in ["openings", "refusals"] {
            let languages: std::collections::BTreeSet<&str> = phrases(section).map(|(language, _)| language).collect();
            assert!(languages.into_iter().eq(LANGUAGES), "{section}");
        }
        for phrase in KNOWN.openings.iter().copied().chain(KNOWN.refusals.iter().map(String::as_str)) {
            assert_eq!(fold(phrase), phrase);
        }
        assert!(KNOWN.refusals.iter().any(|phrase| phrase == "i'm unable to assist"));
    }
}
