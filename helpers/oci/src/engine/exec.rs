//! Further commands in a container.
//!
//! The runtime starts the command and ends. The command is a child of the helper then, which learns its exit code.

mod bound;
mod child;
mod console;
mod pipes;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use orchestrator_plugin_oci::protocol::{ExecOf, Fault, Frame, Verb};
use rustix::process::Resource;
use tokio::sync::mpsc;

use self::bound::Permit;
pub(crate) use self::bound::{Bound, CommandLimits};
use self::child::{Child, Started};
use super::copy::with_root;
use super::{Entry, Helper, blocking};
use crate::bundle;
use crate::root::User;
use crate::runc::{self, ExecFiles};
use crate::state::write_json;

/// Frames that wait.
const WAITING: usize = 16;

/// The largest number of open files of a command.
const OPEN_FILES: u64 = 524_288;

/// A command that was started.
pub(crate) struct Session {
    /// What goes to it.
    pub(crate) input: mpsc::Sender<Frame>,
    /// What comes from it, with its exit code last.
    pub(crate) output: mpsc::Receiver<Frame>,
}

/// The ends of the command's input and output that are ours.
enum Ends {
    Pipes(pipes::Pipes),
    Console(OwnedFd),
}

/// Files that are deleted when they are not needed any more.
struct Files {
    files: ExecFiles,
    /// The place among the commands, which is kept until runtime and command have ended.
    permit: Arc<Permit>,
}

impl Drop for Files {
    fn drop(&mut self) {
        let ExecFiles {
            process,
            pid,
            log,
            console,
        } = &self.files;
        for path in [process, pid, log].into_iter().chain(console) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Helper {
    /// Starts a command in a container that runs. A caller that goes away meanwhile does not stop the start: between the start of
    /// the runtime and its end, nobody else would learn the number of the command's process, and reap it.
    pub(crate) async fn exec(&self, request: ExecOf) -> Result<Session, Fault> {
        let helper = self.clone();
        let starting = tokio::spawn(async move { helper.start_command(&request).await });
        let started = starting.await;
        started.unwrap_or_else(|fault| Err(Fault::failed(Verb::Run, "a command", io::Error::other(fault))))
    }

    async fn start_command(&self, request: &ExecOf) -> Result<Session, Fault> {
        let (entry, _) = self.running(&request.of, Verb::Run)?;
        let name = entry.record().name.clone();
        let permit = self.0.commands.permit(&entry)?;
        self.wait_ahead();
        let files = Arc::new(self.files(&entry, request.command.terminal.is_some(), permit));
        self.write_process(&entry, request, files.files.process.clone()).await?;
        let failed = |error: io::Error| Fault::failed(Verb::Run, &name, error);
        let command = self.0.runtime.exec(&entry.directory, &files.files);
        let (child, ends) = match (&files.files.console, request.command.terminal) {
            (Some(socket), Some(size)) => {
                let listener = console::listen(socket).map_err(failed)?;
                let child = self
                    .run(command, [Stdio::null(), Stdio::null(), Stdio::null()], &entry, &files)
                    .await?;
                let console = blocking(Verb::Run, &name, move || console::accept(&listener)).await?;
                console::resize(&console, size).map_err(failed)?;
                (child, Ends::Console(console))
            }
            _ => {
                let (ours, theirs) = pipes::Pipes::open().map_err(failed)?;
                let child = self.run(command, theirs, &entry, &files).await?;
                (child, Ends::Pipes(ours))
            }
        };
        let (input, from_caller) = mpsc::channel(WAITING);
        let (to_caller, output) = mpsc::channel(WAITING);
        let permit = files.permit.clone();
        tokio::spawn(async move {
            match ends {
                Ends::Pipes(pipes) => pipes.carry(from_caller, &to_caller).await,
                Ends::Console(console) => console::carry(console, from_caller, &to_caller).await,
            }
            let code = child.ended().await;
            drop(permit);
            let _ = to_caller.send(Frame::Exit(code)).await;
        });
        Ok(Session { input, output })
    }

    fn files(&self, entry: &Entry, has_terminal: bool, permit: Arc<Permit>) -> Files {
        let number = self.number();
        let file = |what: &str| entry.directory.file(&format!("exec-{number}.{what}"));
        Files {
            files: ExecFiles {
                process: file("json"),
                pid: file("pid"),
                log: file("log"),
                // The path of a socket must be short.
                console: has_terminal.then(|| self.0.sockets.join(format!("console-{number}"))),
            },
            permit,
        }
    }

    /// Writes what is to be run, as the runtime wants it.
    async fn write_process(&self, entry: &Arc<Entry>, request: &ExecOf, path: PathBuf) -> Result<(), Fault> {
        let record = entry.record();
        let name = record.name.clone();
        let user = request.command.user.clone();
        let user = user.unwrap_or_else(|| record.image.config.user.clone());
        let of_task = entry.clone();
        let look_up = move || with_root(&of_task, |root| User::find(root, &user));
        let refused = |reason: String| Fault::refused(Verb::Run, &name, reason);
        let user = blocking(Verb::Run, &name, look_up).await?.map_err(refused)?;
        let open_files = rustix::process::getrlimit(Resource::Nofile)
            .maximum
            .unwrap_or(OPEN_FILES);
        let plan = bundle::process(&record, Some(&request.command), user, open_files.min(OPEN_FILES));
        let process = plan
            .and_then(|plan| bundle::process_json(&record, &plan))
            .map_err(refused)?;
        blocking(Verb::Run, &name, move || write_json(&path, &process)).await
    }

    /// Has the runtime start the command.
    async fn run(
        &self,
        mut command: Command,
        [stdin, stdout, stderr]: [Stdio; 3],
        entry: &Entry,
        files: &Arc<Files>,
    ) -> Result<Child, Fault> {
        let name = &entry.record().name;
        let failed = |error: io::Error| Fault::failed(Verb::Run, name, error);
        let runtime = command
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(failed)?;
        // The ends that the command holds would keep the pipes open.
        drop(command);
        let starting = self.0.commands.starting();
        match child::started(runtime, starting, files).await.map_err(failed)? {
            Started::Runs(child) => Ok(child),
            Started::Late => Err(Fault::Timeout {
                verb: Verb::Run,
                seconds: starting.as_secs(),
            }),
            Started::Not(code) => {
                let reason = runc::last_error(&files.files.log);
                let reason = reason.unwrap_or_else(|| format!("the runtime ended with {code:?}"));
                match (entry.alive(), runc::is_about_program(&reason)) {
                    (None, _) => Err(Fault::not_running(Verb::Run, name)),
                    (_, true) => Err(Fault::refused(Verb::Run, name, reason)),
                    (_, false) => Err(Fault::failed(Verb::Run, name, reason)),
                }
            }
        }
    }
}
