//! The hook as dnsmasq runs it, with a daemon that is not there or does not do as it should.
//!
//! Whatever happens, the hook ends with 0, and the event is either with the daemon or in the spool.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use orchestrator::model::{Clock, LeaseVerb, Timestamp};
use orchestrator::source::dnsmasq::{DnsmasqEvent, Handed};

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
        self.command()
            .args(["hook", "dnsmasq"])
            .args(words)
            .env("DNSMASQ_INTERFACE", "br0")
            .env("DNSMASQ_LEASE_EXPIRES", "1700007200")
            .env("DNSMASQ_TIME_REMAINING", "7200")
            .output()
            .unwrap()
    }

    /// The program as dnsmasq starts it: its environment is dnsmasq's, its directory the root.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
        command
            .env_clear()
            .env(
                "ORCHESTRATOR_API",
                format!("unix:{}", self.0.join("api.sock").display()),
            )
            .env("ORCHESTRATOR_SPOOL", self.0.join("spool"))
            .env("DNSMASQ_IAID", "12345")
            .env("DNSMASQ_SERVER_DUID", "00:01:00:01")
            .current_dir("/");
        command
    }

    /// Runs the hook with these variables of dnsmasq beside those that every event has.
    fn hook_with(&self, words: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = self.command();
        command.args(["hook", "dnsmasq"]).args(words.split(' '));
        command
            .envs(variables.iter().map(|(name, value)| (format!("DNSMASQ_{name}"), value)))
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

const CLIENT: &str = "00:03:00:01:02:00:5e:10:00:01 fd39::1:7";

/// dnsmasq that was built with HAVE_BROKEN_RTC tells spans, and no moment: `helper.c` sets either
/// `DNSMASQ_LEASE_EXPIRES` or `DNSMASQ_LEASE_LENGTH`, whose zero is a lease without end.
#[test]
fn a_dnsmasq_without_a_clock_is_understood() {
    let minutes = |count: u64| Some(Duration::from_secs(60 * count));
    for (verb, variables, lasts) in [
        (
            "add",
            &[("LEASE_LENGTH", "7200"), ("TIME_REMAINING", "7200")][..],
            minutes(120),
        ),
        (
            "old",
            &[("LEASE_LENGTH", "7200"), ("TIME_REMAINING", "1800")],
            minutes(30),
        ),
        // A time that is zero is left out, as `old` has it in the last second: its `del` follows.
        ("old", &[("LEASE_LENGTH", "7200")], minutes(120)),
        ("add", &[("LEASE_LENGTH", "0")], None),
        ("add", &[("LEASE_LENGTH", "4294967295")], None),
    ] {
        let place = Place::new();
        let before = Timestamp::wall();
        let variables = [variables, &[("INTERFACE", "br0")]].concat();
        let said = said(&place.hook_with(&format!("{verb} {CLIENT}"), &variables));
        assert!(said.contains("is kept for the daemon"), "{variables:?}: {said}");
        let event: DnsmasqEvent = serde_json::from_str(&place.spooled()[0]).unwrap();
        let ran = event.at;
        assert!((before..=Timestamp::wall()).contains(&ran));
        // A lease that waited in the spool ends so long after its hook ran, not after it was read.
        thread::sleep(Duration::from_millis(20));
        let change = event.into_change(Handed::Spooled, &Clock::start());
        assert_eq!(change.verb, LeaseVerb::Hold);
        let until = lasts.map_or(Timestamp(i64::MAX), |span| ran.plus(span));
        assert!(
            change.valid_until.0.abs_diff(until.0) < 1000,
            "{verb} {variables:?}: ends {} and not {until}",
            change.valid_until
        );
    }
}

#[test]
fn a_dnsmasq_without_a_clock_ends_leases_too() {
    let place = Place::new();
    let variables = [("LEASE_LENGTH", "7200"), ("INTERFACE", "br0"), ("DATA_MISSING", "1")];
    said(&place.hook_with(&format!("del {CLIENT}"), &variables));
    let spooled = place.spooled();
    assert!(
        spooled.len() == 1 && spooled[0].contains(r#""verb":"del""#),
        "{spooled:?}"
    );
}

#[test]
fn a_lease_that_is_told_before_its_bridge_is_there_is_passed_over_quietly() {
    let place = Place::new();
    // What dnsmasq 2.90 gives when it starts before the bridge is there; it tells the lease again when it is.
    let variables = [
        ("LEASE_EXPIRES", "1700007200"),
        ("TIME_REMAINING", "7200"),
        ("DATA_MISSING", "1"),
    ];
    let old = format!("old {CLIENT}");
    assert_eq!(said(&place.hook_with(&old, &variables)), "");
    assert!(place.spooled().is_empty(), "a later event says more");
    // Nor is there a word when the daemon refuses it.
    place.daemon("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(said(&place.hook_with(&old, &variables)), "");
}

#[test]
fn the_end_of_a_lease_is_kept_also_when_its_bridge_is_gone() {
    let place = Place::new();
    let said = said(&place.hook_with(&format!("del {CLIENT}"), &[("LEASE_EXPIRES", "1700007200")]));
    assert!(said.contains("is kept for the daemon"), "{said}");
    assert_eq!(place.spooled().len(), 1, "dnsmasq tells the end of a lease once");
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

#[test]
fn whatever_is_wrong_with_its_command_line_the_hook_ends_with_0_and_says_why() {
    let garbage = || OsStr::from_bytes(b"\xff\xfe").to_owned();
    let mut lines: Vec<Vec<OsString>> = [
        "--api unix:/nowhere/api.sock hook dnsmasq --bad",
        "--api=unix:/nowhere/api.sock hook dnsmasq --bad",
        "--api nonsense hook dnsmasq add 00:03:00:01 fd39::7",
        "--api=nonsense hook dnsmasq add 00:03:00:01 fd39::7",
        "hook --api nonsense dnsmasq add 00:03:00:01 fd39::7",
        "-o json hook dnsmasq --bad",
        "-ojson hook dnsmasq --bad",
        "-o nonsense hook dnsmasq add 00:03:00:01 fd39::7",
        "--output nonsense hook dnsmasq add 00:03:00:01 fd39::7",
        "--bad hook dnsmasq add 00:03:00:01 fd39::7",
        "--bad value hook dnsmasq add 00:03:00:01 fd39::7",
        "--api hook hook dnsmasq --bad",
        "hook",
        "hook kea add",
        "hook dnsmasq --spool",
        "hook dnsmasq --spool= add 00:03:00:01 fd39::7",
        "-- hook dnsmasq --bad",
        "hook dnsmasq",
    ]
    .map(words)
    .to_vec();
    for (place, mut line) in [
        (0, words("hook dnsmasq add")),
        (1, words("hook dnsmasq add")),
        (3, words("hook dnsmasq --bad")),
        (3, words("hook dnsmasq add fd39::7")),
        (4, words("hook dnsmasq add 00:03:00:01")),
        (1, words("--api hook dnsmasq add")),
    ] {
        line.insert(place, garbage());
        lines.push(line);
    }
    for line in lines {
        let place = Place::new();
        let output = place.command().args(&line).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line:?}");
        assert!(
            output.stdout.is_empty(),
            "{line:?}: dnsmasq reads what `init` prints as leases"
        );
        assert!(!output.stderr.is_empty(), "{line:?}: not a word");
    }
}

#[test]
fn other_verbs_are_not_taken_for_the_hook() {
    // A word after `ls` is a name to look for, of a daemon that is not there; the others are misused.
    for (line, code) in [
        ("ls hook", 4),
        ("--api hook ls", 2),
        ("-o hook ls", 2),
        ("--api unix:/nowhere/api.sock ls hook", 4),
    ] {
        let output = Place::new().command().args(words(line)).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}");
    }
}

/// Where the daemon is, is written wrongly for every event: they are kept until that is mended.
#[test]
fn an_event_is_kept_when_the_hook_is_told_wrongly_where_the_daemon_is() {
    let place = Place::new();
    let mut command = place.command();
    command.args(["hook", "dnsmasq", "add"]).args(CLIENT.split(' '));
    command
        .env("ORCHESTRATOR_API", "http://nowhere")
        .env("DNSMASQ_INTERFACE", "br0")
        .env("DNSMASQ_LEASE_EXPIRES", "1700007200");
    let said = said(&command.output().unwrap());
    assert!(said.contains("http://nowhere"), "{said}");
    assert_eq!(place.spooled().len(), 1, "{said}");
}

#[test]
fn a_hook_that_cannot_say_anything_still_ends_with_0() {
    let place = Place::new();
    for line in ["hook dnsmasq --bad", "hook dnsmasq add nonsense fd39::7"] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = place.command();
        command.args(words(line)).stderr(Stdio::from(full));
        assert_eq!(command.status().unwrap().code(), Some(0), "{line}");
    }
}
