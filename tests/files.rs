//! Files that somebody else put in the place of ours: a program that reads them says so, and does not hang.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use orchestrator_lab::{Daemon, Lab, Link, Namespace, Program, Settings, poll};

const BINARY: &str = env!("CARGO_BIN_EXE_orchestrator");
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the program to its end.
///
/// # Panics
///
/// When it has not ended in time; it is killed then.
fn run(mut command: Command) -> Output {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let ended = poll("the program to end", PATIENCE, || child.try_wait().unwrap());
    if let Err(fault) = ended {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("{command:?}: {fault}");
    }
    child.wait_with_output().unwrap()
}

fn fifo(path: &Path) {
    mkfifo(path, Mode::from_bits_truncate(0o666)).unwrap();
}

fn settings(place: &str) -> String {
    Settings::new(place).link(Link::new("br0")).text()
}

fn check(host: &Namespace, file: &Path) -> (Option<i32>, String) {
    let mut command = host.command(BINARY);
    command.arg("check").arg("--settings").arg(file);
    let Output { status, stdout, stderr } = run(command);
    let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (status.code(), said.concat())
}

fn place(lab: &Lab) -> (PathBuf, Namespace) {
    (lab.place("files").unwrap(), lab.namespace("host").unwrap())
}

#[test]
fn settings_that_are_no_regular_file_are_refused_at_once() {
    let lab = Lab::new().unwrap();
    let (place, host) = place(&lab);
    let pipe = place.join("fifo");
    fifo(&pipe);
    symlink(&pipe, place.join("link-to-fifo")).unwrap();
    for (file, what) in [
        (pipe, "a FIFO"),
        (place.join("link-to-fifo"), "a FIFO"),
        (PathBuf::from("/dev/zero"), "a device"),
        (place.clone(), "a directory"),
    ] {
        let (code, said) = check(&host, &file);
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains(&format!("is {what}")), "{}: {said}", file.display());
    }
    // Settings that a link leads to are as good as others.
    fs::write(place.join("settings.toml"), settings(&place.display().to_string())).unwrap();
    symlink(place.join("settings.toml"), place.join("link")).unwrap();
    let (code, said) = check(&host, &place.join("link"));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn an_identity_that_is_no_regular_file_is_told() {
    told_by_check_and_serve("orchestrator.identity");
}

#[test]
fn a_database_that_is_no_regular_file_is_told() {
    told_by_check_and_serve("orchestrator.db");
}

/// `check` says that there is a FIFO in the place of this file, and so does `serve`, which waits for it to go.
fn told_by_check_and_serve(name: &str) {
    let lab = Lab::new().unwrap();
    let (place, host) = place(&lab);
    fs::write(place.join("settings.toml"), settings(&place.display().to_string())).unwrap();
    fifo(&place.join(name));
    let (code, said) = check(&host, &place.join("settings.toml"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(name) && said.contains("a FIFO"), "{said}");
    let mut command = host.command(BINARY);
    command.arg("serve").arg("--settings").arg(place.join("settings.toml"));
    let mut daemon = Program::start(command, &place.join("log")).unwrap();
    daemon
        .poll("the daemon to say why it waits", PATIENCE, || {
            let log = fs::read_to_string(place.join("log")).unwrap();
            log.contains("a FIFO").then_some(())
        })
        .unwrap();
    daemon.stop(PATIENCE).unwrap();
}

#[test]
fn a_daemon_whose_settings_became_a_fifo_says_so_and_stops() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    let mut daemon = Daemon::start(&host, Path::new(BINARY), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let file = daemon.place().join("settings.toml");
    fs::remove_file(&file).unwrap();
    fifo(&file);
    let (status, problem) = daemon.api("POST", "/v1/settings/reload").unwrap();
    assert_eq!(status, 422, "{problem}");
    assert!(problem["faults"][0].as_str().unwrap().contains("a FIFO"), "{problem}");
    daemon.stop().unwrap();
}
