//! What an import came to: what was stored and what was not, and what an export by its defaults would leave out of it.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use super::sender::{Kind, Sender, Tally};
use crate::domain::json::Json;
use crate::domain::principal::Trust;
use crate::report::count::{counted, thousands};

/// What reading the file came to.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Rows that were read.
    pub(super) n_read: u64,
    refused: BTreeMap<String, u64>,
    /// What was noticed.
    pub(super) notes: Vec<Note>,
}

/// Something that was noticed, and how often.
#[derive(Debug)]
pub(super) struct Note {
    n: u64,
    what: String,
    noun: &'static str,
}

impl Note {
    /// Notes so many things of a noun.
    pub(super) fn new(n: usize, what: impl Into<String>, noun: &'static str) -> Self {
        Self { n: n as u64, what: what.into(), noun }
    }
}

impl Brought {
    /// Counts a row that says nothing we know.
    pub(super) fn refuse(&mut self, code: &str) {
        *self.refused.entry(code.to_owned()).or_default() += 1;
    }
}

/// The end of an import.
#[derive(Debug)]
pub(super) struct Closing {
    brought: Brought,
    trust: Trust,
    n_completions: u64,
    n_without_consent: u64,
    n_without_finish_reason: u64,
    is_dry: bool,
    completions: Tally,
    feedback: Tally,
}

impl Closing {
    /// Begins with nothing sent.
    pub(super) fn new(brought: Brought, sender: &Sender) -> Self {
        Self {
            brought,
            trust: sender.trust(),
            n_completions: 0,
            n_without_consent: 0,
            n_without_finish_reason: 0,
            is_dry: sender.is_dry(),
            completions: Tally::default(),
            feedback: Tally::default(),
        }
    }

    /// Looks at completions that are about to be sent.
    pub(super) fn look_at(&mut self, completions: &[Json]) {
        let lacking = |name: &str| completions.iter().filter(|item| item.get(name).is_none()).count() as u64;
        self.n_completions += completions.len() as u64;
        self.n_without_consent += lacking("consent");
        self.n_without_finish_reason += lacking("finish_reason");
    }

    /// Returns what is known of the file, for whoever reads it while it is sent.
    pub(super) fn brought(&mut self) -> &mut Brought {
        &mut self.brought
    }

    /// Returns where verdicts on a kind are added up.
    pub(super) fn tally(&mut self, kind: Kind) -> &mut Tally {
        if kind == Kind::Completions { &mut self.completions } else { &mut self.feedback }
    }

    /// Tells whether there was something and nothing of it is stored.
    pub(super) fn is_all_refused(&self) -> bool {
        let n_stored =
            [&self.completions, &self.feedback].into_iter().map(|tally| tally.n_accepted + tally.n_duplicate);
        let n_refused = self.completions.n_rejected() + self.feedback.n_rejected() + self.n_refused_rows();
        n_stored.sum::<u64>() == 0 && n_refused > 0
    }

    fn n_refused_rows(&self) -> u64 {
        self.brought.refused.values().sum()
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["", "ACCEPTED", "DUPLICATE", "REJECTED"]);
        table.add_row(["rows of the file", &thousands(self.brought.n_read), "", &thousands(self.n_refused_rows())]);
        for (what, tally) in [("completions", &self.completions), ("feedback", &self.feedback)] {
            let counts = [tally.n_accepted, tally.n_duplicate, tally.n_rejected()].map(thousands);
            table.add_row([what, &counts[0], &counts[1], &counts[2]]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// Why what was not stored was not, the most frequent first.
    fn reasons(&self) -> Vec<(u64, String)> {
        let of_rows = self.brought.refused.iter().map(|(code, n)| (*n, format!("rows: {code}")));
        let of = |what: &'static str, tally: &Tally| -> Vec<(u64, String)> {
            tally.rejected.iter().map(|(code, n)| (*n, format!("{what}: {code}"))).collect()
        };
        let mut reasons: Vec<(u64, String)> = of_rows.collect();
        reasons.extend(of("completions", &self.completions));
        reasons.extend(of("feedback", &self.feedback));
        reasons.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
        reasons
    }

    /// What the defaults of an export would leave out, with what to do about it.
    fn left_out(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.n_without_consent > 0 {
            lines.push(format!(
                "{} of {}: consent = \"required\", and nothing says that they may be used for training (--consent training)",
                thousands(self.n_without_consent),
                counted(self.n_completions, "completion"),
            ));
        }
        if self.n_without_finish_reason > 0 {
            lines.push(format!(
                "{} of {}: finish_reason = \"stop\", and the tool kept none (finish_reason = \"any\" lets them in)",
                thousands(self.n_without_finish_reason),
                counted(self.n_completions, "completion"),
            ));
        }
        let n_feedback = self.feedback.n_accepted + self.feedback.n_duplicate;
        if self.trust == Trust::Unverified && n_feedback > 0 {
            lines.push(format!(
                "{} of feedback: trust = \"verified\", which holds once the project has used a feedback token (trust = \
                 \"any\" lets them in)",
                counted(n_feedback, "item"),
            ));
        }
        lines
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_dry {
            writeln!(f, "a dry run: nothing was sent, and what is stored already was not asked\n")?;
        }
        writeln!(f, "{}", self.table().trim_fmt())?;
        let reasons = self.reasons();
        if !reasons.is_empty() {
            writeln!(f, "\nrejected:")?;
        }
        for (n, reason) in reasons {
            writeln!(f, "{:>10}  {reason}", thousands(n))?;
        }
        for note in self.brought.notes.iter().filter(|note| note.n > 0) {
            writeln!(f, "\n{} {}", counted(note.n, note.noun), note.what)?;
        }
        let left_out = self.left_out();
        if !left_out.is_empty() {
            writeln!(f, "\nthe defaults of an export leave out:")?;
        }
        for line in left_out {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
