//! A lab is removed however its owner ends.
//!
//! The owner is this test program, run again as a child that makes a lab with something of everything in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use orchestrator_lab::{Dhclient, Engine, Lab, Postgres, Program, TEST_IMAGE, wait_for};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(60);

/// Tells the child how to end.
const END: &str = "ORCHESTRATOR_LAB_TEST_END";

/// What a lab is made of, seen from outside.
struct Traces {
    id: String,
    directory: PathBuf,
    pids: Vec<String>,
}

impl Traces {
    /// What there still is of it.
    fn left(&self) -> Vec<String> {
        let mut left: Vec<_> = self
            .pids
            .iter()
            .filter(|pid| is_alive(pid))
            .map(|pid| format!("process {pid}"))
            .collect();
        if self.directory.exists() {
            left.push(format!("directory {}", self.directory.display()));
        }
        let namespaces = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let names = namespaces.map(|entry| entry.file_name().to_string_lossy().into_owned());
        left.extend(names.filter(|name| name.starts_with(&format!("{}-", self.id))));
        let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
        let cgroups = hierarchies
            .map(|entry| entry.path().join(&self.id))
            .chain([Path::new("/sys/fs/cgroup").join(&self.id)]);
        left.extend(
            cgroups
                .filter(|path| path.exists())
                .map(|path| format!("cgroup {}", path.display())),
        );
        left
    }

    fn wait_until_gone(&self) {
        let mut left = self.left();
        wait_for("the lab to be removed", LIMIT, || {
            left = self.left();
            left.is_empty().then_some(())
        });
    }
}

/// Whether the process runs, and is not a zombie that waits for its parent.
fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// Makes a lab with something of everything, tells of it on standard output, and ends as it was told.
#[test]
fn owner() {
    let Ok(end) = env::var(END) else { return };
    let lab = Lab::new().unwrap();
    let namespace = lab.namespace("one").unwrap();
    namespace.bridge("br0", None).unwrap();
    let engine = Engine::start(&namespace).unwrap();
    engine.import_test_image().unwrap();
    let container = engine
        .api("POST", "/containers/create", Some(&json!({ "Image": TEST_IMAGE })))
        .unwrap();
    let id = container.json().unwrap()["Id"].as_str().unwrap().to_owned();
    engine.api("POST", &format!("/containers/{id}/start"), None).unwrap();
    // A frozen process does not hear that it is killed.
    engine.api("POST", &format!("/containers/{id}/pause"), None).unwrap();
    let inspected = engine
        .api("GET", &format!("/containers/{id}/json"), None)
        .unwrap()
        .json()
        .unwrap();
    let mut client = Dhclient::boot(&namespace, "br0").unwrap();
    let postgres = Postgres::start(&lab).unwrap();
    postgres.database().unwrap();
    // One that goes its own way: a session of its own, and no parent.
    let mut stray = lab.command("setsid");
    stray.args([
        "--fork",
        "sh",
        "-c",
        &format!("echo $$ >{}/stray; exec sleep 1000", lab.directory().display()),
    ]);
    assert!(stray.status().unwrap().success());
    let stray = lab.directory().join("stray");
    let stray = wait_for("the stray process", LIMIT, || {
        fs::read_to_string(&stray).ok().filter(|text| text.ends_with('\n'))
    });

    let pids = [
        inspected["State"]["Pid"].to_string(),
        client.program().pid().to_string(),
        stray.trim().to_owned(),
    ];
    println!("\nLAB {} {} {}", lab.id(), lab.directory().display(), pids.join(" "));
    match end.as_str() {
        "drop" => {}
        "panic" => panic!("as it was told"),
        "exit" => std::process::exit(0),
        _ => thread::sleep(Duration::from_secs(1000)),
    }
}

/// Starts an owner that ends like this, and waits until its lab is made.
fn start_owner(end: &str) -> (Child, Traces) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["owner", "--exact", "--nocapture"]).env(END, end);
    let mut owner = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines
        .find(|line| line.starts_with("LAB "))
        .expect("the owner makes its lab");
    // It goes on writing; nobody need read it, but somebody must hold the pipe.
    thread::spawn(move || lines.for_each(drop));
    let mut words = line.split(' ').skip(1).map(str::to_owned);
    let (id, directory) = (words.next().unwrap(), words.next().unwrap().into());
    (
        owner,
        Traces {
            id,
            directory,
            pids: words.collect(),
        },
    )
}

#[test]
fn dropped_panicked_or_exited() {
    for (end, success) in [("drop", true), ("panic", false), ("exit", true)] {
        let (mut owner, traces) = start_owner(end);
        assert_eq!(owner.wait().unwrap().success(), success, "{end}");
        traces.wait_until_gone();
    }
}

#[test]
fn killed() {
    let (mut owner, traces) = start_owner("wait");
    assert!(traces.left().len() > traces.pids.len(), "{:?}", traces.left());
    owner.kill().unwrap();
    owner.wait().unwrap();
    traces.wait_until_gone();
}

#[test]
fn killed_with_its_guard() {
    let (mut owner, traces) = start_owner("wait");
    let guard = format!("{}/guard.sh", traces.directory.display());
    let guards = Command::new("pgrep").args(["--full", &guard]).output().unwrap();
    assert!(guards.status.success());
    for pid in String::from_utf8_lossy(&guards.stdout).split_whitespace() {
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
    // Whoever makes the next lab sweeps up.
    drop(Lab::new().unwrap());
    traces.wait_until_gone();
}

#[test]
fn a_killed_program_takes_its_helpers_with_it() {
    let lab = Lab::new().unwrap();
    let log = lab.directory().join("program.log");
    let mut command = lab.command("sh");
    command.args(["-c", "sleep 1000 & echo $!; wait"]);
    let mut program = Program::start(command, &log).unwrap();
    let helper = wait_for("the helper's pid", LIMIT, || {
        program.log().strip_suffix('\n').map(str::to_owned)
    });
    assert!(is_alive(&helper));
    program.kill9();
    assert!(!is_alive(&helper));
}
