//! Files from the network: whole and checked, and resumed after a cut.
//!
//! The only place that opens connections, and only for the verbs `fetch`. What comes is added to
//! `NAME.part`; a later call asks for the rest (RFC 9110, section 14: `Range`). When all of it is
//! there it is checked and takes its name. What is not the file that was asked for is kept as
//! `NAME.refused`, and never takes the name. A proxy of the environment (`HTTPS_PROXY`, `NO_PROXY`)
//! is used; `ERSATZ_MIRROR` stands for scheme and host of every address.
#![expect(clippy::disallowed_types, reason = "the one place that opens connections")]

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

use crate::engine::{
    Disk, DiskError, Event, Events, Locking, RealDisk, Screen, ScreenStyle, Sink, Status, Stopwatch,
};
use crate::terms::Key;

/// Bytes that are written at a time: what a kill costs at most.
const PIECE: u64 = 1 << 20;

/// How long a server may take to be found, to be connected to and to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a server may send nothing.
const SILENCE: Duration = Duration::from_secs(60);

const MEGABYTE: u64 = 1_000_000;

/// Why a file was not downloaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    /// No server answers.
    #[error("reach {address}: {reason}")]
    Unreachable { address: String, reason: String },
    /// The server has no such file, or does not give it.
    #[error("get {address}: the server says {status}")]
    Denied { address: String, status: String },
    /// The server has a file of another size.
    #[error("get {address}: it has {found} bytes, published are {published}")]
    OtherSize { address: String, found: u64, published: u64 },
    /// The connection ended too early.
    #[error("get {address}: cut off after {held} bytes ({reason}); the same command goes on there")]
    Cut { address: String, held: u64, reason: String },
    /// What came is not the file that was asked for.
    #[error("get {address}: {why}; what came is kept as `{}`", kept.display())]
    Refused { address: String, why: String, kept: PathBuf },
    /// Another process works on the same file.
    #[error("get {address}: `{}` is being downloaded by {holder}", to.display())]
    Busy { address: String, to: PathBuf, holder: String },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What is to be downloaded.
pub(super) struct Remote<'a> {
    /// Where it lies.
    pub(super) address: &'a str,
    /// Where it shall lie.
    pub(super) to: &'a Path,
    /// Its size in bytes, where it is known.
    pub(super) bytes: Option<u64>,
    /// Says why a file is not it. Without a check nobody would see that a file changed between two
    /// calls, so nothing is resumed.
    pub(super) check: Option<&'a dyn Fn(&Path) -> Result<(), String>>,
}

/// Downloads files.
pub(super) struct Downloader<'a> {
    agent: Agent,
    mirror: Option<String>,
    disk: &'a dyn Disk,
    events: Events,
}

impl Downloader<'static> {
    /// Returns a downloader as the environment wants it, which tells its progress on stderr.
    pub(super) fn of_environment() -> Self {
        let told = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let screen = Screen::stderr(ScreenStyle::choose(|name| std::env::var(name).ok()));
        let agent = configured(Agent::config_builder()).build().new_agent();
        let events = Events::new(vec![Sink::Screen(screen)]);
        Self { agent, mirror: told("ERSATZ_MIRROR"), disk: &RealDisk, events }
    }
}

type Configuration = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

fn configured(builder: Configuration) -> Configuration {
    builder
        .user_agent(concat!("ersatz/", env!("CARGO_PKG_VERSION")))
        // Archives are wanted as they lie there.
        .accept_encoding("identity")
        .http_status_as_error(false)
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
}

impl Downloader<'_> {
    /// Downloads a file, which is whole and checked when this returns.
    ///
    /// # Errors
    /// If no server gives it, it is cut off, it is not the file, or the disk fails.
    pub(super) fn get(&self, remote: &Remote<'_>) -> Result<(), DownloadError> {
        let address = self.mirrored(remote.address);
        let folder = remote.to.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        self.disk.create_folder(folder)?;
        let _lock = match self.disk.lock(&remote.to.with_added_extension("lock"))? {
            Locking::Held(lock) => lock,
            Locking::Busy(holder) => {
                return Err(DownloadError::Busy { address, to: remote.to.to_owned(), holder });
            }
        };
        let part = remote.to.with_added_extension("part");
        let teller = Teller::new(&self.events, &address, remote.to);
        let done = self.fill(&address, &part, remote, &teller).and_then(|()| {
            if let Some(Err(why)) = remote.check.map(|check| check(&part)) {
                let kept = remote.to.with_added_extension("refused");
                self.disk.rename(&part, &kept)?;
                return Err(DownloadError::Refused { address, why, kept });
            }
            self.disk.sync(&part)?;
            self.disk.rename(&part, remote.to)?;
            Ok(self.disk.sync(folder)?)
        });
        teller.end(&done);
        done
    }

    /// Brings a part to its full length.
    fn fill(
        &self,
        address: &str,
        part: &Path,
        remote: &Remote<'_>,
        teller: &Teller<'_>,
    ) -> Result<(), DownloadError> {
        let too_long = |held: u64| remote.bytes.is_some_and(|bytes| held > bytes);
        let mut held = match self.disk.look(part)? {
            Some(Status::File(held)) => held,
            _ => 0,
        };
        if remote.check.is_none() || too_long(held) {
            self.disk.remove(part)?;
            held = 0;
        }
        if remote.bytes == Some(held) {
            return Ok(());
        }
        let mut response = self.ask(address, held)?;
        let (start, total) = content_range(&response);
        if held > 0 && response.status() == 416 && total == Some(held) {
            return Ok(()); // Nothing is left to send: it was killed before it was checked.
        }
        if held > 0 && !(response.status() == 206 && start == Some(held)) {
            self.disk.remove(part)?;
            held = 0;
            if response.status() != 200 {
                response = self.ask(address, 0)?;
            }
        }
        if response.status() != if held > 0 { 206 } else { 200 } {
            let status = response.status().to_string();
            return Err(DownloadError::Denied { address: address.to_owned(), status });
        }
        let total = response.body().content_length().map(|rest| held + rest);
        if let (Some(found), Some(published)) = (total, remote.bytes)
            && found != published
        {
            return Err(DownloadError::OtherSize { address: address.to_owned(), found, published });
        }
        teller.start(held, total.or(remote.bytes));
        let mut reader = response.into_body().into_reader();
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let read = reader.by_ref().take(PIECE).read_to_end(&mut piece);
            // What came before an error is kept.
            self.disk.append(part, &piece)?;
            held += piece.len() as u64;
            teller.progress(held);
            let reason = match read {
                Ok(0) if total.or(remote.bytes).is_none_or(|total| held >= total) => return Ok(()),
                Ok(0) => "no more came".to_owned(),
                Ok(_) if !too_long(held) => continue,
                Ok(_) => "more came than was published".to_owned(),
                Err(error) => reason(&error.into()),
            };
            return Err(DownloadError::Cut { address: address.to_owned(), held, reason });
        }
    }

    /// Asks for a file from a byte on.
    fn ask(&self, address: &str, from: u64) -> Result<Response<Body>, DownloadError> {
        let request = self.agent.get(address);
        let request =
            if from > 0 { request.header("Range", format!("bytes={from}-")) } else { request };
        request.call().map_err(|error| DownloadError::Unreachable {
            address: address.to_owned(),
            reason: reason(&error),
        })
    }

    /// Returns an address with scheme and host of the mirror, if there is one.
    fn mirrored(&self, address: &str) -> String {
        let path = address.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        match (&self.mirror, path) {
            (Some(mirror), Some((_, path))) => format!("{}/{path}", mirror.trim_end_matches('/')),
            _ => address.to_owned(),
        }
    }
}

/// Returns the first byte and the size of the whole that an answer tells: `bytes 5-9/10`, or
/// `bytes */10` where it sends none.
fn content_range(response: &Response<Body>) -> (Option<u64>, Option<u64>) {
    let header = response.headers().get("Content-Range").and_then(|value| value.to_str().ok());
    let told = header.and_then(|header| header.strip_prefix("bytes ")?.split_once('/'));
    let Some((range, total)) = told else { return (None, None) };
    (range.split('-').next().and_then(|start| start.parse().ok()), total.parse().ok())
}

/// Says what went wrong in words that do not depend on the system, where there are any.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => match error.get_ref().map(|inner| inner.to_string()) {
            Some(inner) => inner,
            None => error.kind().to_string(),
        },
        ureq::Error::HostNotFound => "no such host, or no network".to_owned(),
        error => error.to_string(),
    }
}

/// Tells how far a download is.
struct Teller<'a> {
    events: &'a Events,
    key: Key,
    label: String,
    watch: Stopwatch,
    /// The size of the whole, in bytes, once a server has begun to send it.
    total: Cell<Option<u64>>,
}

impl<'a> Teller<'a> {
    fn new(events: &'a Events, address: &str, to: &Path) -> Self {
        let label = to.file_name().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
        let key = Key::of_bytes(address.as_bytes());
        Self { events, key, label, watch: Stopwatch::start(), total: None.into() }
    }

    /// Begins; where no size is known, what is there is all that is known of.
    fn start(&self, held: u64, total: Option<u64>) {
        self.total.set(Some(total.unwrap_or(0)));
        let note = (held > 0).then(|| format!("{} MB", held / MEGABYTE));
        let (key, label) = (self.key, self.label.clone());
        self.events.emit(Event::Started { key, label, resumes: held > 0, note });
    }

    fn progress(&self, held: u64) {
        let total = self.total.get().unwrap_or(0).max(held);
        let [done, total] = [held, total].map(|bytes| {
            usize::try_from(bytes / MEGABYTE).expect("a count of megabytes fits into memory")
        });
        let (key, label, note) = (self.key, self.label.clone(), "MB".to_owned());
        self.events.emit(Event::Progress { key, label, done, total, note });
    }

    /// Ends what was begun.
    fn end(&self, done: &Result<(), DownloadError>) {
        if self.total.get().is_none() {
            return;
        }
        let (key, label, seconds) = (self.key, self.label.clone(), self.watch.seconds());
        self.events.emit(match done {
            Ok(()) => Event::Finished { key, label, seconds },
            Err(_) => Event::Interrupted { key, label },
        });
    }
}
