//! What the demo's users ask and what its models answer: cases written by hand, filled in and varied by chance.
//!
//! It knows neither models nor users, only whether an answer is a good one and how wordy its author is.

use rand::Rng;
use rand::seq::IndexedRandom as _;
use serde::Deserialize;

/// The kinds of work that the simulated users do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Task {
    Support,
    Code,
    Writing,
    Summaries,
}

impl Task {
    pub(super) const ALL: [Self; 4] = [Self::Support, Self::Code, Self::Writing, Self::Summaries];

    /// Returns the task's word, as completions carry it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Code => "code",
            Self::Writing => "writing",
            Self::Summaries => "summaries",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Support => include_str!("cases/support.toml"),
            Self::Code => include_str!("cases/code.toml"),
            Self::Writing => include_str!("cases/writing.toml"),
            Self::Summaries => include_str!("cases/summaries.toml"),
        }
    }
}

/// The embedded cases are not what they should be; a test keeps this from ever being seen.
#[derive(Debug, thiserror::Error)]
#[error("the embedded cases of the task `{0}` cannot be read")]
pub(super) struct CorpusError(&'static str);

/// Every case, by task.
#[derive(Debug)]
pub(super) struct Corpus([Cases; 4]);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    system: String,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Code of what is wrong with the poor answer.
    fault: String,
    asks: Vec<String>,
    good: String,
    poor: String,
    complaints: Vec<String>,
    /// Question, good answer, poor answer.
    follow_ups: Vec<(String, String, String)>,
}

impl Corpus {
    /// Reads the cases that are part of the program.
    pub(super) fn embedded() -> Result<Self, CorpusError> {
        let read = |task: Task| toml::from_str(task.source()).map_err(|_| CorpusError(task.as_str()));
        let [support, code, writing, summaries] = Task::ALL;
        Ok(Self([read(support)?, read(code)?, read(writing)?, read(summaries)?]))
    }

    fn of(&self, task: Task) -> &Cases {
        let [support, code, writing, summaries] = &self.0;
        match task {
            Task::Support => support,
            Task::Code => code,
            Task::Writing => writing,
            Task::Summaries => summaries,
        }
    }
}

/// How wordy an author is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Thorough,
    Brief,
}

impl Style {
    fn openings(self) -> &'static [&'static str] {
        match self {
            Self::Thorough => &["", "", "", "Happy to help.\n\n", "Good question.\n\n", "Here is what I would do.\n\n"],
            Self::Brief => &["", "", "Sure!\n\n", "Sure, here you go:\n\n", "Of course.\n\n"],
        }
    }

    fn closings(self) -> &'static [&'static str] {
        match self {
            Self::Thorough => &[
                "",
                "",
                "\n\nTell me if anything behaves differently on your side.",
                "\n\nIf one of these steps does not fit, say where you are and I will go from there.",
                "\n\nDo you want me to adapt it further?",
            ],
            Self::Brief => &["", "", "", "\n\nHope this helps!", "\n\nAnything else?"],
        }
    }
}

/// A conversation's matter: one case with its blanks filled in, the same in every turn.
#[derive(Debug)]
pub(super) struct Talk<'a> {
    system: String,
    case: &'a Case,
    blanks: Vec<(&'static str, String)>,
    /// Which follow-up comes second.
    starts_with_last: bool,
}

impl<'a> Talk<'a> {
    /// Draws a case of a task and fills it in; nothing where the task has none.
    pub(super) fn draw(corpus: &'a Corpus, task: Task, rng: &mut impl Rng) -> Option<Self> {
        let cases = corpus.of(task);
        let case = cases.cases.choose(rng)?;
        let blanks = blanks(rng);
        let system = write(&cases.system, &blanks, rng);
        Some(Self { system, case, blanks, starts_with_last: rng.random_bool(0.5) })
    }

    /// Returns the system message.
    pub(super) fn system(&self) -> &str {
        &self.system
    }

    /// Returns how many turns the matter lasts at most.
    pub(super) fn n_turns(&self) -> usize {
        1 + self.case.follow_ups.len()
    }

    /// Returns the code of what its poor answers lack.
    pub(super) fn fault(&self) -> &str {
        &self.case.fault
    }

    /// Writes what the user asks in a turn, from 0.
    pub(super) fn question(&self, turn: usize, rng: &mut impl Rng) -> String {
        let template = match self.follow_up(turn) {
            Some((question, ..)) => question,
            None => self.case.asks.choose(rng).map_or("", String::as_str),
        };
        write(template, &self.blanks, rng)
    }

    /// Writes an answer to a turn's question.
    pub(super) fn answer(&self, turn: usize, is_good: bool, style: Style, rng: &mut impl Rng) -> String {
        let opening = style.openings().choose(rng).copied().unwrap_or_default();
        let closing = style.closings().choose(rng).copied().unwrap_or_default();
        format!("{opening}{}{closing}", self.core(turn, is_good, rng))
    }

    /// Writes what a user makes of an answer: its pleasantries go, what is wrong is put right, and something that only
    /// the user knows is added now and then.
    pub(super) fn edited(&self, turn: usize, rng: &mut impl Rng) -> String {
        const OWN: [&str; 5] = [
            "",
            "",
            "\n\n(Checked with {person2} on {day2}.)",
            "\n\nQuestions go to {person2}, not to me.",
            "\n\nAs agreed with {person3}: nothing before {day}.",
        ];
        let own = OWN.choose(rng).copied().unwrap_or_default();
        format!("{}{}", self.core(turn, true, rng), write(own, &self.blanks, rng))
    }

    /// Writes what a user says of a poor answer.
    pub(super) fn complaint(&self, rng: &mut impl Rng) -> String {
        let template = self.case.complaints.choose(rng).map_or("", String::as_str);
        write(template, &self.blanks, rng)
    }

    fn core(&self, turn: usize, is_good: bool, rng: &mut impl Rng) -> String {
        let template = match (self.follow_up(turn), is_good) {
            (Some((_, good, _)), true) => good,
            (Some((.., poor)), false) => poor,
            (None, true) => &self.case.good,
            (None, false) => &self.case.poor,
        };
        write(template, &self.blanks, rng)
    }

    fn follow_up(&self, turn: usize) -> Option<&(String, String, String)> {
        let place = turn.checked_sub(1)?;
        let n = self.case.follow_ups.len();
        let place = if self.starts_with_last { (n - 1).checked_sub(place)? } else { place };
        self.case.follow_ups.get(place)
    }
}

/// Takes one of each `«a|b»`, then fills in each `{blank}`; other braces stay.
fn write(template: &str, blanks: &[(&'static str, String)], rng: &mut impl Rng) -> String {
    let mut text = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('«') {
        let Some((choices, end)) = after.split_once('»') else { break };
        let choices: Vec<&str> = choices.split('|').collect();
        text.push_str(before);
        text.push_str(choices.choose(rng).copied().unwrap_or_default());
        rest = end;
    }
    text.push_str(rest);
    for (name, value) in blanks {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text.trim().to_owned()
}

/// Draws what the cases leave blank.
fn blanks(rng: &mut impl Rng) -> Vec<(&'static str, String)> {
    let mut pick = |list: &[&str]| list.choose(rng).copied().unwrap_or_default().to_owned();
    let mut drawn = vec![
        ("company", pick(&COMPANIES)),
        ("product", pick(&PRODUCTS)),
        ("thing", pick(&THINGS)),
        ("city", pick(&CITIES)),
        ("role", pick(&ROLES)),
        ("reason", pick(&REASONS)),
        ("story", pick(&STORIES)),
        ("verb", pick(&["unplug", "rewire", "translate", "flood", "deep-fry", "alphabetise"])),
        ("month", pick(&["January", "March", "April", "June", "August", "September", "November"])),
        ("table", pick(&["orders", "events", "readings", "invoices", "visits", "parcels", "sessions", "measurements"])),
        (
            "field",
            pick(&["customer", "region", "device", "status", "tenant", "category", "sensor", "owner", "currency"]),
        ),
        ("file", pick(&["report", "holiday", "members", "stock", "survey", "ledger", "archive", "northwind", "batch"])),
        ("ext", pick(&["jpg", "pdf", "csv", "wav", "png", "txt"])),
    ];
    for (names, list) in [(&["person", "person2", "person3"][..], &PEOPLE[..]), (&["day", "day2"][..], &DAYS[..])] {
        let chosen = list.choose_multiple(rng, names.len());
        drawn.extend(names.iter().copied().zip(chosen.map(|name| (*name).to_owned())));
    }
    drawn.extend([
        ("n2", rng.random_range(6..10).to_string()),
        ("n", rng.random_range(2..6).to_string()),
        ("count", rng.random_range(12..480).to_string()),
        ("order", rng.random_range(10_000..99_999).to_string()),
        ("amount", format!("${}.{:02}", rng.random_range(9..390), rng.random_range(0..20) * 5)),
        ("percent", rng.random_range(3..38).to_string()),
        ("version", format!("{}.{}.{}", rng.random_range(1..9), rng.random_range(0..20), rng.random_range(0..9))),
    ]);
    drawn
}

const COMPANIES: [&str; 12] = [
    "Alder & Finch",
    "Brightwater",
    "Copperline",
    "Drift Supply",
    "Eastbank",
    "Fernhill",
    "Galloway Tools",
    "Harbour Nine",
    "Inkwell",
    "Juniper Works",
    "Kestrel",
    "Larch Street",
];
const PRODUCTS: [&str; 16] = [
    "Tallybook",
    "Fernlight",
    "Northmail",
    "Quillpad",
    "Rosterly",
    "Stackroom",
    "Tidepool",
    "Umbra",
    "Vellum",
    "Waypost",
    "Yarrow",
    "Zephyr Desk",
    "Bluebell",
    "Cartograph",
    "Dovetail",
    "Emberline",
];
const THINGS: [&str; 12] = [
    "kettle",
    "desk lamp",
    "bread bin",
    "hand mixer",
    "bike light",
    "coffee grinder",
    "garden chair",
    "radio",
    "backpack",
    "thermos",
    "toolbox",
    "air pump",
];
const CITIES: [&str; 14] = [
    "Leipzig", "Porto", "Ghent", "Tampere", "Lyon", "Malmö", "Graz", "Bologna", "Leeds", "Utrecht", "Gdańsk", "Cork",
    "Zaragoza", "Brno",
];
const ROLES: [&str; 10] = [
    "data engineer",
    "bookkeeper",
    "site reliability engineer",
    "technical writer",
    "workshop lead",
    "product designer",
    "support engineer",
    "logistics planner",
    "quality tester",
    "translator",
];
const REASONS: [&str; 10] = [
    "the supplier delivered the wrong connector",
    "two tests still fail now and then",
    "the certificate had run out",
    "a full disk on the second node",
    "half of the team has the flu",
    "the customs papers are not back yet",
    "an index was missing after the upgrade",
    "the new form sends the field empty",
    "the translation came in late",
    "a cable under the floor was damaged",
];
const STORIES: [&str; 8] = [
    "repaired the coffee machine with a paper clip",
    "answered a customer in verse",
    "locked the whole office in",
    "ordered 400 chairs instead of 40",
    "printed the yearly report upside down",
    "drove to Poland for one missing cable",
    "won the bicycle race in a suit",
    "fell asleep in the server room",
];
const PEOPLE: [&str; 24] = [
    "Amara", "Bence", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hanneke", "Ines", "Jonas", "Keiko", "Luca",
    "Mireille", "Nils", "Oluchi", "Pavel", "Ragna", "Samir", "Tomasz", "Ulrike", "Vera", "Wanjiru", "Xavi", "Yasmin",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn every_text_is_written_out_without_a_blank_or_a_choice_left() {
        let corpus = Corpus::embedded().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let names: Vec<&str> = blanks(&mut rng).into_iter().map(|(name, _)| name).collect();

        for task in Task::ALL {
            for case in &corpus.of(task).cases {
                let talk = Talk { system: String::new(), case, blanks: blanks(&mut rng), starts_with_last: false };
                for turn in 0..talk.n_turns() {
                    for text in [
                        talk.question(turn, &mut rng),
                        talk.answer(turn, true, Style::Thorough, &mut rng),
                        talk.answer(turn, false, Style::Brief, &mut rng),
                        talk.edited(turn, &mut rng),
                        talk.complaint(&mut rng),
                    ] {
                        assert!(text.len() > 4, "{text}");
                        assert!(!text.contains(['«', '»', '\0']), "{text}");
                        assert!(!names.iter().any(|name| text.contains(&format!("{{{name}}}"))), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_good_answer_differs_from_a_poor_one_in_every_turn() {
        let corpus = Corpus::embedded().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);

        for task in Task::ALL {
            for _ in 0..40 {
                let talk = Talk::draw(&corpus, task, &mut rng).unwrap();
                for turn in 0..talk.n_turns() {
                    assert_ne!(talk.core(turn, true, &mut rng), talk.core(turn, false, &mut rng));
                }
            }
        }
    }
}
