//! Progress: a bar for whoever watches, and a line for each step that is done, for whoever reads a log.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// The steps of a run, told one after the other.
#[derive(Debug)]
pub(super) struct Steps {
    n_steps: u32,
    n_begun: u32,
}

/// A step under way.
#[derive(Debug)]
pub(super) struct Step {
    title: &'static str,
    number: String,
    bar: ProgressBar,
    started: Instant,
    quarters_told: Cell<u64>,
}

impl Steps {
    /// Announces how many steps there will be.
    pub(super) fn new(n_steps: u32) -> Self {
        Self { n_steps, n_begun: 0 }
    }

    /// Begins the next step; without an end in sight the bar is a spinner.
    pub(super) fn begin(&mut self, title: &'static str, n_total: Option<u64>) -> Step {
        self.n_begun += 1;
        let number = format!("{}/{}", self.n_begun, self.n_steps);
        let bar = n_total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let step = Step { title, number, bar, started: Instant::now(), quarters_told: Cell::new(0) };
        step.dress(n_total.is_some());
        step.bar.enable_steady_tick(Duration::from_millis(100));
        step
    }
}

impl Step {
    /// Counts what is done.
    pub(super) fn advance(&self, n: u64) {
        self.bar.inc(n);
        self.tell_quarters();
    }

    /// Sets what is done, and of how much; 0 where nobody knows yet.
    pub(super) fn set(&self, n_done: u64, n_total: u64) {
        if n_total > 0 && self.bar.length() != Some(n_total) {
            self.bar.set_length(n_total);
            self.dress(true);
        }
        self.bar.set_position(n_done);
        self.tell_quarters();
    }

    /// Ends the step with what came of it.
    pub(super) fn done(self, outcome: &str) -> io::Result<()> {
        self.bar.finish_and_clear();
        let seconds = self.started.elapsed().as_secs_f64();
        writeln!(io::stdout().lock(), " {} {:14} {seconds:5.1} s  {outcome}", self.number, self.title)
    }

    fn dress(&self, has_end: bool) {
        let (number, title) = (&self.number, self.title);
        let template = if has_end {
            format!(" {number} {title:14} {{wide_bar}} {{human_pos}} of {{human_len}}, {{eta}} left ")
        } else {
            format!(" {number} {title:14} {{spinner}} {{elapsed}} ")
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            self.bar.set_style(style);
        }
    }

    /// Where nobody sees the bar, a long step still says that it moves.
    fn tell_quarters(&self) {
        const LONG: u64 = 500;
        let (position, length) = (self.bar.position(), self.bar.length().unwrap_or_default());
        if !self.bar.is_hidden() || length < LONG {
            return;
        }
        let quarter = 4 * position / length;
        if quarter > self.quarters_told.replace(quarter) && quarter < 4 {
            let (done, of) = (HumanCount(position), HumanCount(length));
            let _unseen = writeln!(io::stderr().lock(), " {} {:14} {done} of {of}", self.number, self.title);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        // After a failure nothing must be drawn over the line that says so.
        self.bar.finish_and_clear();
    }
}
