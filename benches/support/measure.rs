//! Times and tables for the benchmarks.

use std::time::{Duration, Instant};

/// Least, middle and greatest of some runs.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    /// The least.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Summary {
    /// Of at least one value.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { min: values[0], median: values[values.len() / 2], max: values[values.len() - 1] }
    }

    /// Runs something several times; in seconds. It may time itself.
    pub fn time(runs: usize, mut run: impl FnMut() -> Option<Duration>) -> Self {
        let one = |run: &mut dyn FnMut() -> Option<Duration>| {
            let start = Instant::now();
            let own = run();
            own.unwrap_or_else(|| start.elapsed()).as_secs_f64()
        };
        Self::of((0..runs).map(|_| one(&mut run)).collect())
    }
}

/// Prints the head of the table.
pub fn head(first: &str) {
    println!("{first:<34}  guests       min    median       max   limit");
}

/// Prints a line of the table; `limit` says what is asked for.
pub fn row(what: &str, guests: usize, summary: Summary, unit: &str, limit: &str) {
    let Summary { min, median, max } = summary;
    println!("{what:<34} {guests:>7} {min:>8.3}{unit} {median:>8.3}{unit} {max:>8.3}{unit}   {limit}");
}

/// How many runs; `FWC_BENCH_RUNS` changes it.
pub fn runs(default: usize) -> usize {
    std::env::var("FWC_BENCH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Numbers of guests; `FWC_BENCH_GUESTS=100,1000` changes them.
pub fn sizes(default: &str) -> Vec<usize> {
    let given = std::env::var("FWC_BENCH_GUESTS").unwrap_or_else(|_| default.into());
    given.split(',').filter_map(|text| text.trim().parse().ok()).collect()
}
