//! Our training steps and forward passes against PyTorch's, in turns on the same machine.
//!
//! `just bench`, or `just bench resnet-20 "unet-tiny infer" --turns 9 --seconds 1`; without `just`:
//! `cargo bench --bench pytorch -- --python PATH`. Every row of every side has a process of its own
//! (ours is this program, theirs `twin.py`), in which it builds its net and waits; then the two run
//! in short turns. A pair of turns gives one ratio, so what else goes on in the machine falls on
//! both; the first ratio of a row is that of the fastest steps. Both sides have as many parameters,
//! or the row fails.
//!
//! On a busy machine take `--threads 1` and the ratio of processor times: two threads that wait for
//! each other lose far more than what others take from them.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod rows;
mod side;
mod turns;

use side::{Side, Sizes, Turn};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [flag, row] = words.as_slice()
        && flag == "--work"
    {
        return rows::work(row);
    }
    let options = Options::new(words);
    let Some(python) = &options.python else {
        println!("against PyTorch: `just bench`, or `--python PATH` of a Python that has it");
        return;
    };
    println!(
        "{:<22}{:>9}{:>9}{:>7}{:>20}{:>7}{:>15}{:>15}{:>7}",
        "row", "best ms", "theirs", "ratio", "turns [quartiles]", "cpu", "MiB", "theirs", "ratio"
    );
    for row in rows::names().filter(|row| options.wants(row)) {
        match compare(row, python, &options) {
            Ok(line) => println!("{row:<22}{line}"),
            Err(why) => println!("{row:<22} {why}"),
        }
    }
}

/// What the command line asks for.
struct Options {
    python: Option<String>,
    turns: usize,
    seconds: f64,
    /// Of each side.
    threads: String,
    /// A row is run if its name contains one of these; all rows if there are none.
    rows: Vec<String>,
}

impl Options {
    fn new(words: Vec<String>) -> Self {
        let mut options =
            Self { python: None, turns: 7, seconds: 0.5, threads: "2".into(), rows: Vec::new() };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("an option has a value");
            match word.as_str() {
                "--python" => options.python = Some(value()),
                "--turns" => options.turns = value().parse().expect("turns are a number"),
                "--threads" => options.threads = value(),
                "--seconds" => options.seconds = value().parse().expect("seconds are a number"),
                _ => options.rows.push(word),
            }
        }
        options
    }

    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|word| row.contains(word))
    }
}

/// Runs a row on both sides in turns; returns its line of the table.
fn compare(row: &str, python: &str, options: &Options) -> Result<String, String> {
    let ours = std::env::current_exe().map_err(|e| e.to_string())?;
    let twin = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pytorch/twin.py");
    let mut sides = [
        Side::start(&ours.to_string_lossy(), &["--work", row], &options.threads)?,
        Side::start(python, &[twin, row], &options.threads)?,
    ];
    if sides[0].parameters != sides[1].parameters {
        let [ours, theirs] = [0, 1].map(|i| sides[i].parameters);
        return Err(format!("the nets differ: {ours} parameters, theirs has {theirs}"));
    }
    let mut turns: [Vec<Turn>; 2] = Default::default();
    for turn in 0..options.turns {
        // Who begins takes turns as well.
        for i in [turn % 2, 1 - turn % 2] {
            turns[i].push(sides[i].turn(options.seconds)?);
        }
    }
    let ratios = |of: fn(&Turn) -> f64| -> Vec<f64> {
        turns[0].iter().zip(&turns[1]).map(|(ours, theirs)| of(ours) / of(theirs)).collect()
    };
    let [low, wall, high] = quartiles(ratios(|turn| turn.wall));
    let [_, cpu, _] = quartiles(ratios(|turn| turn.cpu));
    let best = |turns: &[Turn]| turns.iter().map(|it| it.best * 1e3).fold(f64::NAN, f64::min);
    let [ours, theirs] = turns.each_ref().map(|turns| best(turns));
    let [mine, other] = sides.each_mut().map(Side::sizes);
    let memory = |sizes: Sizes| format!("{:.0} (+{:.0})", sizes.peak, sizes.peak - sizes.start);
    Ok(format!(
        "{ours:>9.1}{theirs:>9.1}{:>7.2}{:>20}{cpu:>7.2}{:>15}{:>15}{:>7.2}",
        ours / theirs,
        format!("{wall:.2} [{low:.2}, {high:.2}]"),
        memory(mine),
        memory(other),
        mine.peak / other.peak
    ))
}

/// Returns the lower quartile, the median and the upper quartile.
fn quartiles(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (numbers.len() - 1) as f64;
        let (low, rest) = (place as usize, place.fract());
        let high = (low + 1).min(numbers.len() - 1);
        numbers[low] * (1.0 - rest) + numbers[high] * rest
    };
    [at(0.25), at(0.5), at(0.75)]
}
