//! The program at a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program at a terminal, and what the terminal showed.
pub(crate) struct AtTerminal {
    child: Child,
    master: File,
    slave: File,
    seen: Arc<Mutex<String>>,
}

impl AtTerminal {
    /// Starts the program with the terminal as its input, output and error. It is also its controlling terminal when it
    /// is to get its keys as signals.
    pub(crate) fn start(socket: &Path, words: &[&str], state: &Path, controls: bool) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::from(open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
        let size = Winsize {
            ws_col: 100,
            ws_row: 24,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let binary = env!("CARGO_BIN_EXE_orchestrator");
        let mut command = match controls {
            true => {
                let mut command = Command::new("setsid");
                command.args(["--ctty", "--wait", binary]);
                command
            }
            false => Command::new(binary),
        };
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = command
            .arg("--api")
            .arg(format!("unix:{}", socket.display()))
            .args(words)
            .env("XDG_STATE_HOME", state)
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let master = File::from(master);
        let seen = Arc::new(Mutex::new(String::new()));
        let (mut reader, keeper) = (master.try_clone().unwrap(), seen.clone());
        // Ends with the terminal.
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..read]);
                keeper.lock().unwrap().push_str(&text);
            }
        });
        Self {
            child,
            master,
            slave,
            seen,
        }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    /// The modes of the terminal that keys are read by.
    pub(crate) fn modes(&self) -> LocalModes {
        tcgetattr(&self.slave).unwrap().local_modes
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
