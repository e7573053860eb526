//! The hook as dnsmasq runs it, with a daemon that is not there or does not do as it should.
//!
//! Whatever happens, the hook ends with 0, and the event is either with the daemon or in the spool.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

/// A directory with the socket and the spool; gone when the test is.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-hook-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Takes one connection, reads the whole request and answers it; tells what was asked.
    fn daemon(&self, answer: &'static str) -> mpsc::Receiver<String> {
        let listener = UnixListener::bind(self.0.join("api.sock")).unwrap();
        let (sender, asked) = mpsc::channel();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            let mut buffer = [0; 4096];
            while !request.ends_with('}') {
                match stream.read(&mut buffer) {
                    Ok(length) if length > 0 => request.push_str(&String::from_utf8_lossy(&buffer[..length])),
                    _ => break,
                }
            }
            stream.write_all(answer.as_bytes()).unwrap();
            // Not every test asks.
            let _ = sender.send(request);
            // A daemon that says nothing keeps the connection until the hook gives up.
            let _ = stream.read(&mut buffer);
        });
        asked
    }

    fn hook(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .args(["hook", "dnsmasq"])
            .args(words)
            .env_clear()
            .env(
                "ORCHESTRATOR_API",
                format!("unix:{}", self.0.join("api.sock").display()),
            )
            .env("ORCHESTRATOR_SPOOL", self.0.join("spool"))
            .env("DNSMASQ_IAID", "12345")
            .env("DNSMASQ_SERVER_DUID", "00:01:00:01")
            .env("DNSMASQ_INTERFACE", "br0")
            .env("DNSMASQ_LEASE_EXPIRES", "1700007200")
            .env("DNSMASQ_TIME_REMAINING", "7200")
            .current_dir("/")
            .output()
            .unwrap()
    }

    fn add(&self) -> Output {
        self.hook(&["add", "00:03:00:01:02:00:5e:10:00:01", "fd39::1:7", "host-1"])
    }

    fn spooled(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.0.join("spool")) else {
            return Vec::new();
        };
        files
            .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
            .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_the_daemon_takes_is_not_kept() {
    let place = Place::new();
    let asked = place.daemon("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(said(&place.add()), "");
    assert!(place.spooled().is_empty());
    let asked = asked.recv().unwrap();
    assert!(asked.starts_with("POST /v1/hooks/dnsmasq HTTP/1.1\r\n"), "{asked}");
    let body = asked.split("\r\n\r\n").last().unwrap();
    assert!(
        body.starts_with(r#"{"version":1,"verb":"add","duid":"00:03:00:01:02:00:5e:10:00:01","iaid":12345,"#),
        "{body}"
    );
}

#[test]
fn without_a_daemon_the_event_is_kept() {
    let place = Place::new();
    let said = said(&place.add());
    assert!(
        said.contains("is kept for the daemon: no daemon answers at unix:"),
        "{said}"
    );
    let spooled = place.spooled();
    assert!(
        spooled.len() == 1 && spooled[0].contains(r#""hostname":"host-1""#),
        "{spooled:?}"
    );
}

#[test]
fn a_socket_that_nobody_listens_on_is_no_daemon() {
    let place = Place::new();
    drop(UnixListener::bind(place.0.join("api.sock")).unwrap());
    said(&place.add());
    assert_eq!(place.spooled().len(), 1);
}

#[test]
fn a_daemon_that_hangs_fails_or_talks_nonsense_gets_the_event_later() {
    for answer in [
        "",
        "garbage\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
    ] {
        let place = Place::new();
        place.daemon(answer);
        let said = said(&place.add());
        assert!(said.contains("is kept for the daemon"), "{answer}: {said}");
        assert_eq!(place.spooled().len(), 1, "{answer}");
    }
}

#[test]
fn what_the_daemon_refuses_is_told_and_not_kept() {
    let place = Place::new();
    place.daemon("HTTP/1.1 422 Unprocessable\r\ncontent-length: 32\r\n\r\n{\"title\":\"No\",\"detail\":\"br0 no\"}");
    let said = said(&place.add());
    assert!(said.contains("was refused by the daemon: No: br0 no"), "{said}");
    assert!(place.spooled().is_empty());
}

#[test]
fn a_spool_that_cannot_be_written_loses_the_event_loudly() {
    let place = Place::new();
    fs::write(place.0.join("spool"), "a file").unwrap();
    let said = said(&place.add());
    assert!(
        said.contains("is lost: no daemon answers at") && said.contains("it cannot be kept: could not make"),
        "{said}"
    );
}

#[test]
fn what_is_no_event_or_no_command_line_still_ends_well() {
    let place = Place::new();
    assert_eq!(said(&place.hook(&["init"])), "");
    assert_eq!(said(&place.hook(&["tftp", "516", "192.0.2.7", "/file"])), "");
    assert!(said(&place.hook(&["add", "nonsense", "fd39::7"])).contains("is lost: dnsmasq gave \"nonsense\""));
    assert!(said(&place.hook(&["--spoool", "/x"])).contains("unexpected argument"));
    assert!(place.spooled().is_empty());
}
