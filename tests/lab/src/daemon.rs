//! The orchestrator's daemon, run as its users run it: the binary, a settings file, its socket.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use std::{fs, io, iter};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::http::{self, Answer, Events};
use crate::machine::Machine;
use crate::{Engine, Namespace, Program};

/// How long the daemon may take to start, stop or answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon, with its settings and state in the lab. Killed when dropped.
pub struct Daemon {
    namespace: Namespace,
    binary: PathBuf,
    /// The command that starts the binary where it is to run.
    launcher: Vec<OsString>,
    place: PathBuf,
    environment: Vec<(String, String)>,
    program: Program,
    /// The rest of its machine, where it has one of its own.
    machine: Option<Machine>,
}

impl Daemon {
    /// Starts the daemon and waits until it answers on its socket; it need not be ready.
    ///
    /// `settings` is given a directory for the daemon's state and returns the text of its settings. The API must
    /// listen on `unix:DIRECTORY/api.sock`.
    ///
    /// # Errors
    ///
    /// When it ends, or does not answer within a minute; with the end of its log.
    pub fn start(namespace: &Namespace, binary: &Path, settings: impl FnOnce(&str) -> String) -> Result<Self> {
        Self::start_with(namespace, binary, &[], settings)
    }

    /// [`Daemon::start`] with environment variables, such as `ORCHESTRATOR__STORE__URL`.
    ///
    /// # Errors
    ///
    /// When it ends, or does not answer within a minute; with the end of its log.
    pub fn start_with(
        namespace: &Namespace,
        binary: &Path,
        environment: &[(&str, &str)],
        settings: impl FnOnce(&str) -> String,
    ) -> Result<Self> {
        Self::launch_by(namespace, binary, &namespace.command(binary), environment, settings)
    }

    /// [`Daemon::start`] on the machine of an engine, with its files and mounts, and on the network of `namespace`. An
    /// engine runs containers in network namespaces that were made before only when it sees these.
    ///
    /// # Errors
    ///
    /// When it ends, or does not answer within a minute; with the end of its log.
    pub fn start_beside(
        engine: &Engine,
        namespace: &Namespace,
        binary: &Path,
        settings: impl FnOnce(&str) -> String,
    ) -> Result<Self> {
        let command = engine.command_in(namespace, binary);
        Self::launch_by(namespace, binary, &command, &[], settings)
    }

    /// [`Daemon::start`] on a machine of its own: `/run` is empty, and the cgroups are those of the lab. So all that an
    /// engine of executables starts goes with the lab.
    ///
    /// # Errors
    ///
    /// When it ends, or does not answer within a minute; with the end of its log.
    pub fn start_apart(namespace: &Namespace, binary: &Path, settings: impl FnOnce(&str) -> String) -> Result<Self> {
        let machine = Machine::start_with_cgroups(namespace, "machine", &["empty:/run"])?;
        let command = machine.command(binary);
        let mut daemon = Self::launch_by(namespace, binary, &command, &[], settings)?;
        daemon.machine = Some(machine);
        Ok(daemon)
    }

    /// A command with the files and mounts of the daemon's machine, where it has one of its own.
    pub fn command(&self, program: &str) -> Command {
        match &self.machine {
            Some(machine) => machine.command(program),
            None => self.namespace.command(program),
        }
    }

    fn launch_by(
        namespace: &Namespace,
        binary: &Path,
        command: &Command,
        environment: &[(&str, &str)],
        settings: impl FnOnce(&str) -> String,
    ) -> Result<Self> {
        let words = iter::once(command.get_program()).chain(command.get_args());
        let launcher: Vec<OsString> = words.map(OsStr::to_owned).collect();
        let place = namespace.lab().place("daemon")?;
        fs::write(place.join("settings.toml"), settings(&place.display().to_string()))?;
        let environment: Vec<_> = environment
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let (namespace, binary) = (namespace.clone(), binary.to_owned());
        let program = launch(&namespace, &launcher, &place, &environment)?;
        let mut daemon = Self {
            namespace,
            binary,
            launcher,
            place,
            environment,
            program,
            machine: None,
        };
        daemon.await_answer()?;
        Ok(daemon)
    }

    /// The socket of its API.
    pub fn socket(&self) -> PathBuf {
        self.place.join("api.sock")
    }

    /// The directory of its settings, state and log.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The running program: its log, its process id, its end.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Everything it has logged since it was first started.
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// Kills it (SIGKILL). Does nothing when it has ended.
    pub fn kill9(&mut self) {
        self.program.kill9();
    }

    /// Stops it as a service manager does (SIGTERM).
    ///
    /// # Errors
    ///
    /// When it still runs after a minute, or does not end with success.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.program.stop(PATIENCE)?;
        anyhow::ensure!(status.success(), "the daemon did not stop well: {status}");
        Ok(())
    }

    /// Starts it again, with the settings and state it had, after it was stopped or killed.
    ///
    /// # Errors
    ///
    /// When it ends, or does not answer within a minute; with the end of its log.
    pub fn resume(&mut self) -> Result<()> {
        if !self.program.is_running() {
            self.program = launch(&self.namespace, &self.launcher, &self.place, &self.environment)?;
        }
        self.await_answer()
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    ///
    /// When it is not within `limit`; with what it waits for, and the end of its log.
    pub fn wait_until_ready(&mut self, limit: Duration) -> Result<()> {
        let socket = self.socket();
        let ready = || http::ask(&socket, "GET", "/v1/ready", None, PATIENCE);
        let waited = self.program.poll("the daemon to be ready", limit, || {
            (ready().ok()?.status == 200).then_some(())
        });
        waited.with_context(|| format!("it says: {}", ready().map(|answer| answer.text()).unwrap_or_default()))
    }

    /// Asks its API.
    ///
    /// # Errors
    ///
    /// When it does not answer. A status that tells of a fault is an answer.
    pub fn ask(&self, method: &str, path: &str) -> Result<Answer> {
        http::ask(&self.socket(), method, path, None, PATIENCE)
    }

    /// Asks its API: the status, and the body as JSON.
    ///
    /// # Errors
    ///
    /// When it does not answer, or not with JSON. A status that tells of a fault is an answer.
    pub fn api(&self, method: &str, path: &str) -> Result<(u16, Value)> {
        let answer = self.ask(method, path)?;
        Ok((answer.status, answer.json()?))
    }

    /// Sends its API something as JSON: the status, and the body as JSON.
    ///
    /// # Errors
    ///
    /// When it does not answer, or not with JSON. A status that tells of a fault is an answer.
    pub fn send(&self, method: &str, path: &str, what: &Value) -> Result<(u16, Value)> {
        let bytes = what.to_string().into_bytes();
        let body = http::Body {
            kind: "application/json",
            bytes: &bytes,
        };
        let answer = http::ask(&self.socket(), method, path, Some(body), PATIENCE)?;
        Ok((answer.status, answer.json()?))
    }

    /// The items of one of its lists: `/v1/instances?all=true`, say.
    ///
    /// # Errors
    ///
    /// When it does not answer with a list.
    pub fn items(&self, path: &str) -> Result<Vec<Value>> {
        let (status, mut body) = self.api("GET", path)?;
        match body["items"].take() {
            Value::Array(items) if status == 200 => Ok(items),
            _ => anyhow::bail!("GET {path}: status {status}, and no items"),
        }
    }

    /// Its events as they happen, those after event `after` first. The stream ends with an error when there was none
    /// for `limit`.
    ///
    /// # Errors
    ///
    /// When it does not answer with a stream.
    pub fn events(&self, after: u64, limit: Duration) -> Result<Events> {
        http::events(&self.socket(), &format!("/v1/events?after={after}"), limit)
    }

    /// Runs the command line against it, and waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.namespace.command(&self.binary);
        command
            .arg("--api")
            .arg(format!("unix:{}", self.socket().display()))
            .args(arguments);
        command.output().with_context(|| format!("cannot run {command:?}"))
    }

    fn await_answer(&mut self) -> Result<()> {
        let socket = self.socket();
        self.program.poll("the daemon to answer", PATIENCE, || {
            let health = http::ask(&socket, "GET", "/v1/health", None, PATIENCE).ok()?;
            (health.status == 200).then_some(())
        })
    }
}

fn launch(
    namespace: &Namespace,
    launcher: &[OsString],
    place: &Path,
    environment: &[(String, String)],
) -> Result<Program> {
    // A socket that a killed daemon left would look like a daemon that does not answer.
    match fs::remove_file(place.join("api.sock")) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault).context("cannot remove api.sock"),
        _ => {}
    }
    let (program, arguments) = launcher.split_first().context("nothing to launch")?;
    let mut command = namespace.lab().command(program);
    command
        .args(arguments)
        .arg("serve")
        .arg("--settings")
        .arg(place.join("settings.toml"));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    Program::start(command, &place.join("orchestrator.log"))
}
