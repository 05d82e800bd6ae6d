//! Our side's part of the conversation.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ersatz::lab::training::Keeper;

use super::side::field;

/// Steps before the first turn: buffers find their place, and an optimiser its memory.
const WARM: usize = 2;

/// Says when to work. Its user calls [`Turns::step`] behind every step; between turns the call does
/// not return.
pub(crate) struct Turns {
    parameters: Cell<usize>,
    start: f64,
    done: Cell<usize>,
    turn: Cell<Option<Running>>,
}

#[derive(Clone, Copy)]
struct Running {
    start: Instant,
    cpu: f64,
    steps: usize,
    /// When the last step ended, behind the start.
    last: Duration,
    best: Duration,
    length: Duration,
}

impl Turns {
    /// Notes how much memory there is before a net is built.
    pub(crate) fn begin() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let start = field(&status, "VmRSS:").unwrap_or(f64::NAN);
        Self { parameters: Cell::new(0), start, done: Cell::new(0), turn: Cell::new(None) }
    }

    /// Notes how many parameters the net has.
    pub(crate) fn built(&self, parameters: usize) {
        self.parameters.set(parameters);
    }

    /// A step is done.
    pub(crate) fn step(&self) {
        let done = self.done.get() + 1;
        self.done.set(done);
        if done == WARM {
            println!("{} {}", self.start, self.parameters.get());
        }
        let Some(running) = self.turn.get() else {
            // The first step of a turn finds cold caches: it does not count.
            return if done >= WARM {
                self.wait()
            };
        };
        if running.steps == usize::MAX {
            let running = Running { start: Instant::now(), cpu: cpu(), steps: 0, ..running };
            return self.turn.set(Some(running));
        }
        let (passed, steps) = (running.start.elapsed(), running.steps + 1);
        let best = running.best.min(passed - running.last);
        if passed >= running.length {
            let (seconds, best) = (passed.as_secs_f64(), best.as_secs_f64());
            println!("{steps} {seconds} {} {best}", cpu() - running.cpu);
            self.wait();
        } else {
            self.turn.set(Some(Running { steps, last: passed, best, ..running }));
        }
    }

    /// Waits for the next turn; ends the process when there is none.
    fn wait(&self) {
        let mut line = String::new();
        let seconds = match std::io::stdin().read_line(&mut line) {
            Ok(read) if read > 0 => line.trim().parse().expect("a turn is a number of seconds"),
            _ => std::process::exit(0),
        };
        let length = Duration::from_secs_f64(seconds);
        let (last, best) = (Duration::ZERO, Duration::MAX);
        let fresh =
            Running { start: Instant::now(), cpu: 0.0, steps: usize::MAX, last, best, length };
        self.turn.set(Some(fresh));
    }
}

/// Returns the seconds that all processors worked for this process, where the system tells.
fn cpu() -> f64 {
    const TICKS: f64 = 100.0; // Of a second, on Linux.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field may hold anything in brackets; 14 and 15 are user and system time.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let times = behind.split_whitespace().skip(11).take(2);
    times.map(|word| word.parse().unwrap_or(f64::NAN)).sum::<f64>() / TICKS
}

impl Keeper for Turns {
    fn load(&self) -> std::io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn save(&self, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn progress(&self, _: usize, _: usize, _: f64) {
        self.step();
    }

    fn stopping(&self) -> bool {
        false
    }

    fn checkpoint_due(&self, _: usize) -> bool {
        false
    }
}
