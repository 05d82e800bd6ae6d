//! One side of a row: a process that works when it is its turn.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A process that has built the net of a row.
pub(crate) struct Side {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Of its net.
    pub(crate) parameters: usize,
    start: f64,
}

/// Seconds per step or forward pass in one turn.
pub(crate) struct Turn {
    /// By the clock on the wall.
    pub(crate) wall: f64,
    /// Of the fastest step.
    pub(crate) best: f64,
    /// Of all processors together.
    pub(crate) cpu: f64,
}

/// Resident memory in MiB.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Before the net was built, libraries included.
    pub(crate) start: f64,
    /// The most there ever was.
    pub(crate) peak: f64,
}

impl Side {
    /// Starts a process and waits until it says how many KiB it began with, and how many parameters
    /// its net has.
    pub(crate) fn start(program: &str, words: &[&str], threads: &str) -> Result<Self, String> {
        let mut process = Command::new(program)
            .args(words)
            .env("RAYON_NUM_THREADS", threads)
            .env("OMP_NUM_THREADS", threads)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("`{program}` does not start: {e}"))?;
        let to = process.stdin.take().expect("the pipe was asked for");
        let from = BufReader::new(process.stdout.take().expect("the pipe was asked for"));
        let mut side = Self { process, to, from, parameters: 0, start: 0.0 };
        let [start, parameters] = side.numbers()?;
        (side.start, side.parameters) = (start / 1024.0, parameters as usize);
        Ok(side)
    }

    /// Lets the process work for so many seconds.
    pub(crate) fn turn(&mut self, seconds: f64) -> Result<Turn, String> {
        writeln!(self.to, "{seconds}").map_err(|e| e.to_string())?;
        let [steps, wall, cpu, best] = self.numbers()?;
        Ok(Turn { wall: wall / steps, best, cpu: cpu / steps })
    }

    /// Returns how much memory the process took, where the system tells.
    pub(crate) fn sizes(&mut self) -> Sizes {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let peak = field(&status.unwrap_or_default(), "VmHWM:").unwrap_or(f64::NAN);
        Sizes { start: self.start, peak: peak / 1024.0 }
    }

    /// Reads a line of numbers.
    fn numbers<const N: usize>(&mut self) -> Result<[f64; N], String> {
        let mut line = String::new();
        self.from.read_line(&mut line).map_err(|e| e.to_string())?;
        let numbers = line.split_whitespace().map(|word| word.parse().unwrap_or(f64::NAN));
        let numbers: Vec<f64> = numbers.collect();
        numbers.try_into().map_err(|_| format!("a side ended early: {line:?}"))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // It has nothing to lose, and may not listen.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the number behind a word in a file of `/proc`.
pub(crate) fn field(text: &str, word: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    words.find(|other| *other == word)?;
    words.next()?.parse().ok()
}
