//! A client that runs, and what it tells.

use std::fs::File;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use orchestrator_lab::{Namespace, Program};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::site::PATIENCE;

/// A running client on `eth0` of a machine. Killed when dropped, without a word to the server.
pub(crate) struct Running {
    machine: Namespace,
    program: Program,
    told: PathBuf,
    /// Lines that were read already.
    read: usize,
}

impl Running {
    pub(crate) fn start(machine: &Namespace, arguments: &[&str]) -> Self {
        Self::start_by(machine, &[], arguments)
    }

    /// Started by another program.
    pub(crate) fn start_by(machine: &Namespace, program: &[&str], arguments: &[&str]) -> Self {
        let place = machine.lab().place("client").unwrap();
        let told = place.join("told.json");
        let mut command = machine.command("sh");
        // Standard output is for programs, standard error for people: each into a file of its own.
        command.args(["-c", "exec \"$@\" >\"$0\""]).arg(&told).args(program);
        command.args([
            env!("CARGO_BIN_EXE_orchestrator"),
            "client",
            "-i",
            "eth0",
            "-o",
            "json",
            "--state",
        ]);
        command.arg(state(machine)).args(arguments);
        File::create(&told).unwrap();
        let program = Program::start(command, &place.join("client.log")).unwrap();
        Self {
            machine: machine.clone(),
            program,
            told,
            read: 0,
        }
    }

    /// The next event of this name; what is told before it is passed over.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        let what = format!("the event {name}");
        let (file, read) = (&self.told, &mut self.read);
        let found = self.program.poll(&what, PATIENCE, || {
            let events = told(file);
            let at = events.iter().skip(*read).position(|event| event["event"] == name)?;
            *read += at + 1;
            Some(events[*read - 1].clone())
        });
        found.unwrap_or_else(|fault| panic!("{fault}; it told {:?}", told(file)))
    }

    /// The last thing told of a lease.
    pub(crate) fn last_bound(&self) -> Value {
        let mut all = told(&self.told);
        all.retain(|event| event["rebind_at"].is_string());
        all.pop().unwrap()
    }

    /// Waits until an address is ready; which.
    pub(crate) fn ready(&mut self) -> Ipv6Addr {
        self.event("ready")["address"].as_str().unwrap().parse().unwrap()
    }

    /// Asks it to end, and waits until it has; its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.program.stop(PATIENCE).unwrap().code()
    }

    /// Waits for its end; its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.program.wait(PATIENCE).unwrap().code()
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.program.signal(signal).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        self.program.log()
    }

    /// The addresses of the machine's `eth0`.
    pub(crate) fn addresses(&self) -> Vec<Ipv6Addr> {
        addresses(&self.machine)
    }
}

/// All events in a file.
fn told(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    // The last line may not be whole yet.
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Where the client of a machine keeps things.
pub(crate) fn state(machine: &Namespace) -> PathBuf {
    machine.lab().directory().join(format!("state-{}", machine.name()))
}

pub(crate) fn addresses(machine: &Namespace) -> Vec<Ipv6Addr> {
    let all = machine.addresses("eth0").unwrap();
    all.into_iter()
        .inspect(|address| assert_eq!(address.prefix, 128))
        .map(|address| address.ip)
        .collect()
}

/// A command line of the client that is run to its end: exit code and standard error.
pub(crate) fn run(machine: &Namespace, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command: Command = machine.command(env!("CARGO_BIN_EXE_orchestrator"));
    command.arg("client").args(arguments);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The only lease in an event: what is leased.
pub(crate) fn leased(event: &Value) -> String {
    let leases = event["leases"].as_array().unwrap();
    assert_eq!(leases.len(), 1, "{event}");
    leases[0]["leased"].as_str().unwrap().to_owned()
}

/// A time in an event.
pub(crate) fn moment(time: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(time.as_str().unwrap(), &Rfc3339).unwrap()
}
