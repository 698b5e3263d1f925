//! The outcome as a table for a terminal.

use std::time::Duration;

use comfy_table::{CellAlignment, Table as Grid, presets};

/// What was measured, row by row.
pub(super) struct Table {
    durations: Grid,
    rates: Grid,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            durations: grid(["start", "seconds", "allowed"]),
            rates: grid(["rows per second | limit", "Afterword", "limit", "share of the limit"]),
        }
    }

    /// Adds a duration with the one that it may not exceed.
    pub(super) fn duration(&mut self, name: &str, measured: Duration, allowed: Duration) {
        let seconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64());
        self.durations.add_row([name.to_owned(), seconds(measured), seconds(allowed)]);
    }

    /// Adds rows per second beside their limit.
    pub(super) fn rates(&mut self, name: &str, measured: f64, limit: f64) {
        let whole = |rate: f64| format!("{rate:.0}");
        self.rates.add_row([name.to_owned(), whole(measured), whole(limit), format!("{:.2}", measured / limit)]);
    }

    pub(super) fn text(&self) -> String {
        format!("{}\n\n{}", self.durations, self.rates)
    }
}

fn grid<const N: usize>(header: [&str; N]) -> Grid {
    let mut grid = Grid::new();
    grid.load_style(presets::UTF8_BORDERS_ONLY).set_header(header);
    for column in grid.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    grid
}
