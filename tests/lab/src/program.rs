//! A program that runs in the lab until it is stopped.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::poll;

/// How long the kernel may take to stop or clear away what was told to stop or killed.
const GONE: Duration = Duration::from_secs(5);

/// A running program, with its output in a file. Killed when dropped.
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command`; what it writes goes to the end of the file `log`.
    ///
    /// # Errors
    ///
    /// When the log cannot be written or the program does not start.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let name = log.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
        // What a terminal sends to the foreground is for the lab's owner to act upon.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Looks until there is something to see, as long as the program runs.
    ///
    /// # Errors
    ///
    /// When there was nothing within `limit` or the program ended; with the end of its log.
    pub fn poll<T>(&mut self, what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T> {
        // Either there is something to see, or there never will be.
        let seen = poll(what, limit, || {
            look().map(Some).or_else(|| (!self.is_running()).then_some(None))
        });
        match seen {
            Ok(Some(seen)) => Ok(seen),
            Ok(None) => bail!("{} ended; {}", self.name, self.last_words()),
            Err(fault) => bail!("{fault}; {}", self.last_words()),
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        // A process that was waited for may have passed its id on.
        ensure!(
            self.is_running(),
            "{} has ended, so it cannot be sent {signal}",
            self.name
        );
        kill(Pid::from_raw(self.pid().try_into()?), signal)
            .with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Stops it where it stands (SIGSTOP), until [`Program::thaw`].
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn freeze(&mut self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        // The signal is on its way; each thread stops when it meets it.
        let tasks = format!("/proc/{}/task", self.pid());
        let stopped = |task: &Path| fs::read_to_string(task.join("stat")).is_ok_and(|stat| stat.contains(") T "));
        self.poll("all threads to stop", GONE, || {
            let mut paths = fs::read_dir(&tasks).ok()?.map_while(|task| Some(task.ok()?.path()));
            paths.all(|task| stopped(&task)).then_some(())
        })
    }

    /// Lets it go on after [`Program::freeze`].
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn thaw(&mut self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let ended = poll(&what, limit, || self.child.try_wait().ok().flatten());
        ended.map_err(|fault| anyhow!("{fault}; {}", self.last_words()))
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    ///
    /// When it still runs after `limit`. It is left running then.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        if self.is_running() {
            self.signal(Signal::SIGTERM)?;
        }
        self.wait(limit)
    }

    /// The end of its log, to finish an error with.
    fn last_words(&self) -> String {
        match tail(&self.log(), 40) {
            silence if silence.is_empty() => "it wrote nothing".to_owned(),
            words => format!("its last words:\n{words}"),
        }
    }

    /// Kills it (SIGKILL) with the helpers it started, and waits until they are gone. What it started in sessions or
    /// process groups of their own goes on. Does nothing when all have ended.
    pub fn kill9(&mut self) {
        let Ok(group) = i32::try_from(self.pid()).map(Pid::from_raw) else {
            return;
        };
        // Until the leader was waited for, nobody else can have the group's id.
        if self.is_running() {
            killpg(group, Signal::SIGKILL).ok();
        }
        self.child.wait().ok();
        poll("the helpers of a killed program to be gone", GONE, || {
            killpg(group, None).is_err().then_some(())
        })
        .ok();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill9();
        // A test has failed: its report is to say what the programs did.
        if thread::panicking() {
            eprintln!("{}: {}", self.name, self.last_words());
        }
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
