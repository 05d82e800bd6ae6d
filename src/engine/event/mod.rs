//! What happens while stages run: one stream of events, told to every sink.
//!
//! The only room with clocks. Sinks: [`JsonLines`] appends to a log for machines, [`Screen`] shows
//! bars or lines to people, [`Record`] keeps everything, for tests. A sink that fails to write is
//! silent: a closed terminal or a full log disk must not end the work.

#![expect(clippy::disallowed_methods, reason = "this is the one room with clocks")]

mod screen;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

pub use screen::{Screen, ScreenStyle};

use super::disk::{self, DiskError};
use crate::terms::Key;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A stage has nothing to do, its entry exists.
    Cached {
        /// Its key.
        key: Key,
        /// What people call it.
        label: String,
    },
    /// A stage starts, or goes on.
    Started {
        /// Its key.
        key: Key,
        /// What people call it.
        label: String,
        /// Whether an earlier session left something to go on from.
        resumes: bool,
        /// The note of that session, if it left one.
        note: Option<String>,
    },
    /// A stage tells how far it is.
    Progress {
        /// Its key.
        key: Key,
        /// What people call it.
        label: String,
        /// Steps done.
        done: usize,
        /// Steps in all.
        total: usize,
        /// A few words more, or none.
        note: String,
    },
    /// A stage is done and its entry committed.
    Finished {
        /// Its key.
        key: Key,
        /// What people call it.
        label: String,
        /// Wall time over all its sessions, in seconds.
        seconds: f64,
    },
    /// A stage failed.
    Failed {
        /// Its key.
        key: Key,
        /// What people call it.
        label: String,
        /// What went wrong.
        what: String,
    },
    /// A stage was stopped and can go on later.
    Interrupted {
        /// Its key.
        key: Key,
        /// What people call it.
        label: String,
    },
    /// Something to know.
    Message {
        /// Who says it.
        label: String,
        /// What it says.
        text: String,
    },
    /// Something that may be wrong.
    Warning {
        /// Who says it.
        label: String,
        /// What it says.
        text: String,
    },
}

/// Where events go.
pub enum Sink {
    /// A log for machines.
    Log(JsonLines),
    /// A terminal for people.
    Screen(Screen),
    /// A list, for tests.
    Record(Record),
}

impl Sink {
    fn accept(&mut self, elapsed: f64, event: &Event) {
        match self {
            Self::Log(log) => log.accept(elapsed, event),
            Self::Screen(screen) => screen.accept(elapsed, event),
            Self::Record(record) => record.push(event),
        }
    }
}

/// Tells every event to every sink. Copies share the sinks.
#[derive(Clone)]
pub struct Events(Arc<Shared>);

struct Shared {
    sinks: Mutex<Vec<Sink>>,
    watch: Stopwatch,
}

impl Events {
    /// Tells events to these sinks; elapsed time counts from now.
    pub fn new(sinks: Vec<Sink>) -> Self {
        Self(Arc::new(Shared { sinks: Mutex::new(sinks), watch: Stopwatch::start() }))
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::new(Vec::new())
    }

    /// Tells an event to every sink.
    pub fn emit(&self, event: Event) {
        let elapsed = self.0.watch.seconds();
        for sink in self.0.sinks.lock().expect("no sink panics").iter_mut() {
            sink.accept(elapsed, &event);
        }
    }
}

/// All events in order, for tests. Copies share the list.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<Vec<Event>>>);

impl Record {
    /// Returns what has happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().expect("nothing panics with the list").clone()
    }

    fn push(&self, event: &Event) {
        self.0.lock().expect("nothing panics with the list").push(event.clone());
    }
}

/// A log with one JSON object per line: seconds since the start, then the event.
pub struct JsonLines {
    out: Box<dyn Write + Send>,
    pace: Pace,
}

impl JsonLines {
    /// Progress of one stage is logged at most so often, in seconds.
    const EVERY: f64 = 1.0;

    /// Appends to the log at a path.
    ///
    /// # Errors
    /// If the log cannot be opened.
    pub fn append(path: &Path) -> Result<Self, DiskError> {
        Ok(Self::to(disk::open_log(path)?))
    }

    fn to(out: Box<dyn Write + Send>) -> Self {
        Self { out, pace: Pace::new(Self::EVERY) }
    }

    fn accept(&mut self, elapsed: f64, event: &Event) {
        #[derive(Serialize)]
        struct Line<'a> {
            elapsed: f64,
            #[serde(flatten)]
            event: &'a Event,
        }
        if self.pace.skips(elapsed, event) {
            return;
        }
        let elapsed = (elapsed * 1e3).round() / 1e3;
        let line = serde_json::to_string(&Line { elapsed, event }).expect("events are plain data");
        // In one call, so that two processes may append to one log.
        let _ = self.out.write_all(format!("{line}\n").as_bytes());
    }
}

/// Lets progress through at most every so many seconds per stage, and everything else always.
struct Pace {
    every: f64,
    last: BTreeMap<Key, f64>,
}

impl Pace {
    fn new(every: f64) -> Self {
        Self { every, last: BTreeMap::new() }
    }

    /// Returns whether an event is to be left out. A stage's start counts as news of it.
    fn skips(&mut self, elapsed: f64, event: &Event) -> bool {
        match event {
            Event::Progress { key, .. } => {
                let last = self.last.entry(*key).or_insert(f64::NEG_INFINITY);
                let early = elapsed - *last < self.every;
                *last = if early { *last } else { elapsed };
                early
            }
            Event::Started { key, .. } => {
                self.last.insert(*key, elapsed);
                false
            }
            _ => false,
        }
    }
}

/// Measures wall time from its start.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the seconds since the start, to the microsecond.
    pub fn seconds(&self) -> f64 {
        micro(self.0.elapsed())
    }
}

/// Returns the seconds since 1970 (UTC), to the microsecond.
pub fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, micro)
}

/// Returns seconds with so few digits that every reader of JSON gives back the same number.
fn micro(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

/// Returns a length of time in words: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(label: &str, done: usize) -> Event {
        let key = Key::of_bytes(label.as_bytes());
        Event::Progress { key, label: label.into(), done, total: 9, note: String::new() }
    }

    #[test]
    fn lengths_of_time_in_words() {
        let cases = [
            (0.04, "0.0 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (59.6, "1 min 00 s"),
            (185.0, "3 min 05 s"),
            (7_799.0, "2 h 09 min"),
        ];
        for (seconds, want) in cases {
            assert_eq!(duration(seconds), want);
        }
    }

    #[test]
    fn a_log_holds_one_object_per_line_and_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/log.jsonl");
        for text in ["one", "two\nlines"] {
            let mut log = JsonLines::append(&path).unwrap();
            log.accept(1.23456, &Event::Message { label: "a".into(), text: text.into() });
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "{\"elapsed\":1.235,\"event\":\"message\",\"label\":\"a\",\"text\":\"one\"}\n\
             {\"elapsed\":1.235,\"event\":\"message\",\"label\":\"a\",\"text\":\"two\\nlines\"}\n"
        );
    }

    #[test]
    fn progress_is_paced_per_stage() {
        let mut pace = Pace::new(1.0);
        let told = [(0.0, "a"), (0.5, "a"), (0.6, "b"), (1.1, "a"), (1.5, "b"), (1.7, "b")]
            .map(|(elapsed, label)| !pace.skips(elapsed, &progress(label, 1)));
        assert_eq!(told, [true, false, true, true, false, true]);
    }

    #[test]
    fn every_sink_hears_every_event() {
        let records = [Record::default(), Record::default()];
        let events = Events::new(records.iter().cloned().map(Sink::Record).collect());
        events.emit(progress("a", 1));
        for record in records {
            assert_eq!(record.events(), [progress("a", 1)]);
        }
    }
}
