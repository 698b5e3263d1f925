//! How long a finished comparison takes to be rendered, in each of its forms. Every part of it is filled, with 28 days.

#[expect(clippy::unwrap_used, reason = "a sample of the tests")]
#[path = "../../tests/it/report/rich.rs"]
mod rich;
#[expect(clippy::assigning_clones, clippy::expect_used, dead_code, reason = "the tests render all of the samples")]
#[path = "../../tests/it/report/samples.rs"]
mod samples;

#[path = "../../tests/it/report/rich_ratings.rs"]
mod rich_ratings;

use std::io::Write as _;
use std::time::{Duration, Instant};

use afterword::report::comparison::Comparison;
use afterword::report::{html, json, text, vega_lite};

/// Renderings of each form, after one that is not counted.
const N_ROUNDS: usize = 200;

/// Writes a comparison in one form.
type Render = fn(&Comparison) -> String;

fn main() -> std::io::Result<()> {
    // Cargo compiles benchmarks with its tests, and runs them then without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let comparison = rich::rich();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:10} {:>10} {:>10} {:>10}", "form", "median ms", "p99 ms", "bytes")?;
    let forms: [(&str, Render); 4] = [
        ("page", html::to_html),
        ("JSON", |comparison| json::to_json(comparison).to_string()),
        ("text", |comparison| text::to_text(comparison, 80, false)),
        ("Vega-Lite", |comparison| vega_lite::to_vega_lite(comparison).to_string()),
    ];
    for (name, render) in forms {
        let n_bytes = render(&comparison).len();
        let mut took: Vec<Duration> = (0..N_ROUNDS).map(|_| timed(&comparison, render)).collect();
        took.sort_unstable();
        let ms = |place: usize| took[place].as_secs_f64() * 1000.0;
        writeln!(out, "{name:10} {:>10.2} {:>10.2} {n_bytes:>10}", ms(N_ROUNDS / 2), ms(N_ROUNDS * 99 / 100))?;
    }
    Ok(())
}

fn timed(comparison: &Comparison, render: Render) -> Duration {
    let began = Instant::now();
    std::hint::black_box(render(std::hint::black_box(comparison)));
    began.elapsed()
}
