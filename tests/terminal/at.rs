//! The program at a terminal of its own.

use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use orchestrator_lab::Pty;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::LocalModes;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program at a terminal.
pub(crate) struct AtTerminal {
    child: Child,
    pty: Pty,
}

impl AtTerminal {
    /// Starts the program with the terminal as its input, output and error. It is also its controlling terminal when it
    /// is to get its keys as signals.
    pub(crate) fn start(socket: &Path, words: &[&str], state: &Path, controls: bool) -> Self {
        let pty = Pty::open(100, 24).unwrap();
        let binary = env!("CARGO_BIN_EXE_orchestrator");
        let mut command = match controls {
            true => {
                let mut command = Command::new("setsid");
                command.args(["--ctty", "--wait", binary]);
                command
            }
            false => Command::new(binary),
        };
        command
            .arg("--api")
            .arg(format!("unix:{}", socket.display()))
            .args(words)
            .env("XDG_STATE_HOME", state)
            .env("TERM", "xterm");
        let child = pty.give(&mut command).unwrap().spawn().unwrap();
        Self { child, pty }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.pty.types(text).unwrap();
    }

    pub(crate) fn seen(&self) -> String {
        self.pty.seen()
    }

    /// The modes of the terminal that keys are read by.
    pub(crate) fn modes(&self) -> LocalModes {
        self.pty.modes().unwrap()
    }

    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(&format!("{text:?} is shown"), || self.seen().contains(text));
    }

    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(
                Instant::now() < until,
                "{what} does not come true; seen: {}",
                self.seen()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends SIGTERM to the program.
    pub(crate) fn terminate(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Waits for the end of the program, and returns its exit code.
    pub(crate) fn ends(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("an exit code");
            }
            assert!(Instant::now() < until, "it does not end; seen: {}", self.seen());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
