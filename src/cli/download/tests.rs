use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::engine::{Fault, FaultyDisk, Record};

/// A server on this machine that gives these answers in turn, byte by byte as they are.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = asked.clone();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                heard.lock().unwrap().push(request(&stream));
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { address, asked }
    }

    /// Returns the first line and the range of each request so far.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn request(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range = head.iter().map(|line| line.to_lowercase());
    let range = range.filter_map(|line| Some(line.strip_prefix("range: ")?.to_owned()));
    let path = head[0].split(' ').nth(1).unwrap().to_owned();
    [path].into_iter().chain(range).collect::<Vec<_>>().join(" ")
}

/// An answer that says of itself how long it is.
fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

/// The answer to a request for the rest from a byte on.
fn rest(from: usize) -> String {
    let (end, all) = (WHOLE.len() - 1, WHOLE.len());
    answer("206 Partial", &format!("Content-Range: bytes {from}-{end}/{all}\r\n"), &WHOLE[from..])
}

/// The answer that is cut off after some bytes.
fn cut(after: usize) -> String {
    let whole = answer("200 OK", "", WHOLE);
    whole[..whole.len() - WHOLE.len() + after].to_owned()
}

const WHOLE: &str = "the weights of a very small network";
const BYTES: Option<u64> = Some(WHOLE.len() as u64);

struct Desk {
    folder: tempfile::TempDir,
    record: Record,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), record: Record::default() }
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("new/net.pth")
    }

    fn get_by(
        &self,
        disk: &dyn Disk,
        server: &str,
        bytes: Option<u64>,
    ) -> Result<(), DownloadError> {
        let check = |path: &Path| match RealDisk.read(path).unwrap() == WHOLE.as_bytes() {
            true => Ok(()),
            false => Err("its sum is another".to_owned()),
        };
        let remote = Remote {
            address: "https://far.away/files/net.pth?download=1",
            to: &self.to(),
            bytes,
            check: Some(&check),
        };
        downloader(disk, server, &self.record).get(&remote)
    }

    fn get(&self, server: &Server) -> Result<(), DownloadError> {
        self.get_by(&RealDisk, &server.address, BYTES)
    }

    /// Returns the names of the files that are there.
    fn names(&self) -> Vec<String> {
        let names = RealDisk.list(self.to().parent().unwrap()).unwrap_or_default();
        names.into_iter().map(|(name, _)| name).collect()
    }

    fn assert_whole(&self) {
        assert_eq!(RealDisk.read(&self.to()).unwrap(), WHOLE.as_bytes());
        assert_eq!(self.names(), ["net.pth"]);
    }
}

/// A downloader that asks this server for everything, whatever the environment says of proxies.
fn downloader<'a>(disk: &'a dyn Disk, server: &str, record: &Record) -> Downloader<'a> {
    let agent = configured(Agent::config_builder()).proxy(None).build().new_agent();
    let events = Events::new(vec![Sink::Record(record.clone())]);
    Downloader { agent, mirror: Some(server.to_owned()), disk, events }
}

#[test]
fn a_file_comes_whole_from_the_mirror() {
    let (desk, server) = (Desk::new(), Server::start(vec![answer("200 OK", "", WHOLE)]));
    desk.get(&server).unwrap();
    desk.assert_whole();
    assert_eq!(server.asked(), ["/files/net.pth?download=1"]);
    let events = desk.record.events();
    assert!(
        matches!(&events[0], Event::Started { label, resumes: false, .. } if label == "net.pth")
    );
    assert!(matches!(events.last(), Some(Event::Finished { .. })), "{events:?}");
}

#[test]
fn a_redirect_is_followed() {
    let desk = Desk::new();
    let to = Server::start(vec![answer("200 OK", "", WHOLE)]);
    let header = format!("Location: {}/elsewhere\r\n", to.address);
    let from = Server::start(vec![answer("302 Found", &header, "moved")]);
    desk.get(&from).unwrap();
    desk.assert_whole();
    assert_eq!(to.asked(), ["/elsewhere"]);
}

#[test]
fn what_was_cut_off_is_resumed_where_it_stands() {
    let (desk, server) = (Desk::new(), Server::start(vec![cut(10), rest(10)]));
    let said = desk.get(&server).unwrap_err().to_string();
    assert!(said.contains("cut off after 10 bytes") && said.contains("same command"), "{said}");
    assert_eq!(desk.names(), ["net.pth.part"]);
    assert!(matches!(desk.record.events().last(), Some(Event::Interrupted { .. })));
    desk.get(&server).unwrap();
    desk.assert_whole();
    let path = "/files/net.pth?download=1";
    assert_eq!(server.asked(), [path.to_owned(), format!("{path} bytes=10-")]);
}

#[test]
fn a_redirect_keeps_where_it_was_cut_off() {
    let desk = Desk::new();
    let to = Server::start(vec![cut(10), rest(10)]);
    let header = format!("Location: {}/elsewhere\r\n", to.address);
    let from = Server::start(vec![answer("302 Found", &header, "moved"); 2]);
    assert!(desk.get(&from).is_err());
    desk.get(&from).unwrap();
    desk.assert_whole();
    assert_eq!(to.asked(), ["/elsewhere", "/elsewhere bytes=10-"]);
}

#[test]
fn a_server_that_cannot_resume_sends_all_of_it_again() {
    let other = answer("206 Partial", "Content-Range: bytes 0-9/35\r\n", &WHOLE[..10]);
    for (answers, requests) in [
        (vec![cut(10), answer("200 OK", "", WHOLE)], 2),
        // Another range than the one that was asked for, or none that the server has.
        (vec![cut(10), other, answer("200 OK", "", WHOLE)], 3),
        (vec![cut(10), answer("416 Range", "", ""), answer("200 OK", "", WHOLE)], 3),
    ] {
        let (desk, server) = (Desk::new(), Server::start(answers));
        assert!(desk.get(&server).is_err());
        desk.get(&server).unwrap();
        desk.assert_whole();
        assert_eq!(server.asked().len(), requests);
    }
}

#[test]
fn what_was_killed_before_its_check_is_not_asked_for_again() {
    let part = |desk: &Desk| desk.to().with_added_extension("part");
    let desk = Desk::new();
    RealDisk.create_folder(desk.to().parent().unwrap()).unwrap();
    RealDisk.append(&part(&desk), WHOLE.as_bytes()).unwrap();
    // Where the size is known there is nothing to ask.
    desk.get_by(&RealDisk, &nobody(), BYTES).unwrap();
    desk.assert_whole();
    RealDisk.rename(&desk.to(), &part(&desk)).unwrap();
    let none_left = answer("416 Range", "Content-Range: bytes */35\r\n", "");
    desk.get_by(&RealDisk, &Server::start(vec![none_left]).address, None).unwrap();
    desk.assert_whole();
    // More than there is of it is no beginning of it.
    RealDisk.rename(&desk.to(), &part(&desk)).unwrap();
    RealDisk.append(&part(&desk), b"!").unwrap();
    desk.get(&Server::start(vec![answer("200 OK", "", WHOLE)])).unwrap();
    desk.assert_whole();
}

#[test]
fn another_file_is_refused_and_kept_aside() {
    let desk = Desk::new();
    let other = WHOLE.to_uppercase();
    let said = desk.get(&Server::start(vec![answer("200 OK", "", &other)])).unwrap_err();
    let said = said.to_string();
    assert!(said.contains("its sum is another") && said.contains("net.pth.refused"), "{said}");
    assert_eq!(desk.names(), ["net.pth.refused"]);
    // The next call starts anew.
    desk.get(&Server::start(vec![answer("200 OK", "", WHOLE)])).unwrap();
    assert_eq!(desk.names(), ["net.pth", "net.pth.refused"]);
    // A page instead of a file is told by its size, before it is taken for one.
    let said = Desk::new().get(&Server::start(vec![answer("200 OK", "", "<html>")])).unwrap_err();
    assert!(said.to_string().ends_with("it has 6 bytes, published are 35"), "{said}");
}

#[test]
fn more_than_was_published_is_not_taken() {
    let desk = Desk::new();
    let endless = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{WHOLE}!");
    let said = desk.get(&Server::start(vec![endless])).unwrap_err().to_string();
    assert!(said.contains("more came than was published"), "{said}");
    let short = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe".to_owned();
    let said = Desk::new().get(&Server::start(vec![short])).unwrap_err().to_string();
    assert!(said.contains("cut off after 3 bytes (no more came)"), "{said}");
}

#[test]
fn what_nobody_gives_is_told() {
    let desk = Desk::new();
    let said = desk.get(&Server::start(vec![answer("404 Not Found", "", "gone")])).unwrap_err();
    assert!(
        said.to_string().ends_with("net.pth?download=1: the server says 404 Not Found"),
        "{said}"
    );
    let said = desk.get_by(&RealDisk, &nobody(), BYTES).unwrap_err().to_string();
    assert!(said.starts_with("reach http://127.0.0.1:") && said.ends_with("refused"), "{said}");
    assert_eq!(desk.names(), [""; 0]);
    assert_eq!(desk.record.events(), [], "nothing was begun");
}

/// Returns an address where no server listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn without_a_sum_nothing_is_resumed() {
    let desk = Desk::new();
    let server = Server::start(vec![cut(10), answer("200 OK", "", WHOLE)]);
    let get = || {
        let remote =
            Remote { address: "http://far.away/x", to: &desk.to(), bytes: None, check: None };
        downloader(&RealDisk, &server.address, &desk.record).get(&remote)
    };
    assert!(get().is_err());
    get().unwrap();
    desk.assert_whole();
    assert_eq!(server.asked(), ["/x", "/x"]);
}

#[test]
fn one_process_downloads_a_file_at_a_time() {
    let desk = Desk::new();
    RealDisk.create_folder(desk.to().parent().unwrap()).unwrap();
    let lock = RealDisk.lock(&desk.to().with_added_extension("lock")).unwrap();
    let said = desk.get(&Server::start(Vec::new())).unwrap_err().to_string();
    assert!(said.contains("is being downloaded by process"), "{said}");
    drop(lock);
    desk.get(&Server::start(vec![answer("200 OK", "", WHOLE)])).unwrap();
    desk.assert_whole();
}

#[test]
fn wherever_the_machine_dies_the_next_call_ends_with_the_whole_file() {
    let mut died = 0;
    for at in 0.. {
        let desk = Desk::new();
        let disk = FaultyDisk::new(Fault::Kill, at);
        let server = Server::start(vec![answer("200 OK", "", WHOLE)]);
        if desk.get_by(&disk, &server.address, BYTES).is_ok() {
            break;
        }
        died += 1;
        let whole = RealDisk.look(&desk.to()).unwrap().is_some();
        if whole {
            desk.assert_whole();
            continue;
        }
        // What is there may be any beginning of the file.
        let part = RealDisk.look(&desk.to().with_added_extension("part")).unwrap();
        let held = if let Some(Status::File(held)) = part { held as usize } else { 0 };
        let answer = if held > 0 { rest(held) } else { answer("200 OK", "", WHOLE) };
        desk.get(&Server::start(vec![answer])).unwrap();
        desk.assert_whole();
    }
    assert!(died >= 6, "{died} operations");
}
