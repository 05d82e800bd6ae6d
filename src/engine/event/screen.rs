//! Progress for people, on stderr: bars on a terminal, a line now and then elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Event, Pace, duration};
use crate::terms::Key;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenStyle {
    /// One moving bar per running stage.
    Bars,
    /// One line at start and end of a stage, and every 30 seconds between.
    Lines,
}

impl ScreenStyle {
    /// Chooses bars for a terminal, unless the environment (asked by name) says that nobody watches
    /// (`CI`), that plain text is wanted (`NO_COLOR`), or that the terminal cannot (`TERM=dumb`).
    pub fn choose(environment: impl Fn(&str) -> Option<String>) -> Self {
        Self::choose_for(io::stderr().is_terminal(), environment)
    }

    fn choose_for(terminal: bool, environment: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| environment(name).is_some_and(|value| !value.is_empty());
        let dumb = environment("TERM").is_some_and(|value| value == "dumb");
        if terminal && !set("CI") && !set("NO_COLOR") && !dumb { Self::Bars } else { Self::Lines }
    }
}

/// Progress for people.
pub struct Screen(Shown);

enum Shown {
    Bars { all: MultiProgress, running: BTreeMap<Key, ProgressBar> },
    Lines { out: Box<dyn Write + Send>, pace: Pace },
}

impl Screen {
    /// Progress of one stage is told in a line at most so often, in seconds.
    const EVERY: f64 = 30.0;

    /// Shows progress on stderr.
    pub fn stderr(style: ScreenStyle) -> Self {
        match style {
            ScreenStyle::Bars => {
                let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
                Self(Shown::Bars { all, running: BTreeMap::new() })
            }
            ScreenStyle::Lines => Self::lines(Box::new(io::stderr())),
        }
    }

    fn lines(out: Box<dyn Write + Send>) -> Self {
        Self(Shown::Lines { out, pace: Pace::new(Self::EVERY) })
    }

    pub(super) fn accept(&mut self, elapsed: f64, event: &Event) {
        match &mut self.0 {
            Shown::Lines { out, pace } => {
                if !pace.skips(elapsed, event) {
                    let _ = writeln!(out, "{}", line(event));
                }
            }
            Shown::Bars { all, running } => bars(all, running, event),
        }
    }
}

fn bars(all: &MultiProgress, running: &mut BTreeMap<Key, ProgressBar>, event: &Event) {
    match event {
        Event::Started { key, label, note, .. } => {
            let bar = all.add(ProgressBar::no_length());
            bar.set_style(style("{prefix}  {elapsed}  {wide_msg}"));
            bar.set_prefix(label.clone());
            bar.set_message(note.clone().unwrap_or_default());
            bar.enable_steady_tick(Duration::from_millis(500));
            running.insert(*key, bar);
        }
        Event::Progress { key, done, total, note, .. } => {
            let Some(bar) = running.get(key) else { return };
            let first = bar.length().is_none();
            bar.set_length(*total as u64);
            bar.set_position(*done as u64);
            bar.set_message(note.clone());
            if first {
                bar.set_style(style("{prefix}  [{bar:24}] {pos}/{len}, {eta} left  {wide_msg}"));
                // What an earlier session did says nothing about the speed of this one.
                bar.reset_eta();
            }
        }
        Event::Finished { key, .. }
        | Event::Failed { key, .. }
        | Event::Interrupted { key, .. } => {
            if let Some(bar) = running.remove(key) {
                bar.finish_and_clear();
                all.remove(&bar);
            }
            let _ = all.println(line(event));
        }
        Event::Cached { .. } | Event::Message { .. } | Event::Warning { .. } => {
            let _ = all.println(line(event));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}

/// Returns an event in one line.
fn line(event: &Event) -> String {
    match event {
        Event::Cached { label, .. } => format!("cached       {label}"),
        Event::Started { label, resumes: false, .. } => format!("started      {label}"),
        Event::Started { label, note, .. } => {
            let note = note.as_ref().map_or(String::new(), |note| format!(" at {note}"));
            format!("resumed      {label}{note}")
        }
        Event::Progress { label, done, total, note, .. } => {
            let comma = if note.is_empty() { "" } else { ", " };
            format!("running      {label}: {done}/{total}{comma}{note}")
        }
        Event::Finished { label, seconds, .. } => {
            format!("finished     {label} in {}", duration(*seconds))
        }
        Event::Failed { label, what, .. } => format!("failed       {label}: {what}"),
        Event::Interrupted { label, .. } => format!("interrupted  {label}"),
        Event::Message { label, text } => format!("note         {label}: {text}"),
        Event::Warning { label, text } => format!("warning      {label}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn story() -> Vec<(f64, Event)> {
        let key = Key::of_bytes(b"a");
        let label = || "classifier resnet-20".to_owned();
        let step = |done, note: &str| Event::Progress {
            key,
            label: label(),
            done,
            total: 500,
            note: note.into(),
        };
        let note = Some("step 100".to_owned());
        vec![
            (0.0, Event::Cached { key, label: "data digits".into() }),
            (0.0, Event::Started { key, label: label(), resumes: true, note }),
            (29.0, step(120, "")),
            (31.0, step(130, "loss 0.31")),
            (59.0, step(260, "loss 0.20")),
            (62.0, step(270, "")),
            (63.0, Event::Warning { label: label(), text: "the loss rises".into() }),
            (70.0, Event::Finished { key, label: label(), seconds: 170.2 }),
        ]
    }

    #[test]
    fn lines_are_few_and_plain() {
        let out = Shared::default();
        let mut screen = Screen::lines(Box::new(out.clone()));
        story().iter().for_each(|(elapsed, event)| screen.accept(*elapsed, event));
        assert_eq!(
            String::from_utf8(out.0.lock().unwrap().clone()).unwrap(),
            "cached       data digits\n\
             resumed      classifier resnet-20 at step 100\n\
             running      classifier resnet-20: 130/500, loss 0.31\n\
             running      classifier resnet-20: 270/500\n\
             warning      classifier resnet-20: the loss rises\n\
             finished     classifier resnet-20 in 2 min 50 s\n"
        );
    }

    #[test]
    fn a_bar_lives_as_long_as_its_stage() {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let mut running = BTreeMap::new();
        let story = story();
        story[..2].iter().for_each(|(_, event)| bars(&all, &mut running, event));
        let bar = running.values().next().expect("the stage runs").clone();
        assert_eq!(
            (bar.prefix().as_str(), bar.message().as_str()),
            ("classifier resnet-20", "step 100")
        );
        story[2..4].iter().for_each(|(_, event)| bars(&all, &mut running, event));
        assert_eq!((bar.position(), bar.length()), (130, Some(500)));
        assert_eq!(bar.message(), "loss 0.31");
        story[4..].iter().for_each(|(_, event)| bars(&all, &mut running, event));
        assert!(running.is_empty() && bar.is_finished());
    }

    #[test]
    fn bars_are_for_people_at_terminals() {
        let style = |terminal, name: &'static str, value: &'static str| {
            ScreenStyle::choose_for(terminal, |asked| (asked == name).then(|| value.to_owned()))
        };
        let cases = [
            (true, "TERM", "xterm", ScreenStyle::Bars),
            (true, "CI", "", ScreenStyle::Bars),
            (false, "TERM", "xterm", ScreenStyle::Lines),
            (true, "CI", "true", ScreenStyle::Lines),
            (true, "NO_COLOR", "1", ScreenStyle::Lines),
            (true, "TERM", "dumb", ScreenStyle::Lines),
        ];
        for (terminal, name, value, want) in cases {
            assert_eq!(style(terminal, name, value), want, "{terminal} {name}={value}");
        }
    }
}
