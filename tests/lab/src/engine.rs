//! An engine of the lab's own, Docker or Podman: own state, own socket, no networks, no firewall rules.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::http::{self, Answer, Body};
use crate::machine::Machine;
use crate::namespace::output;
use crate::{Lab, Namespace, Program, podman, poll};

/// How long an engine may take to start or stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `dockerd` with its containerd and containers, or a `podman system service` with its containers. All of it goes with
/// the lab.
///
/// Containers have no network but what is wired into them.
pub struct Engine {
    machine: Machine,
    make: Make,
    socket: PathBuf,
    /// Locked while the engine starts or ends, so that tests may share it.
    daemon: Mutex<Option<Program>>,
}

/// Which program an engine is.
enum Make {
    /// `dockerd`, with these arguments besides the lab's own.
    Docker(Vec<String>),
    /// `podman system service`.
    Podman,
}

impl Engine {
    /// Starts an engine on the network of `namespace`, and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it does not start within a minute; with the end of its log.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        Self::start_with(namespace, &[])
    }

    /// [`Engine::start`] with more arguments for `dockerd`, such as `--live-restore`.
    ///
    /// # Errors
    ///
    /// When it does not start within a minute; with the end of its log.
    pub fn start_with(namespace: &Namespace, arguments: &[&str]) -> Result<Self> {
        let machine = Machine::start(namespace, "engine", &["copy:/etc", "empty:/run"])?;
        let socket = machine.place().join("docker.sock");
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self::start_on(machine, Make::Docker(arguments), socket)
    }

    /// Starts Podman on the network of `namespace`, and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it does not start within a minute; with the end of its log.
    pub fn start_podman(namespace: &Namespace) -> Result<Self> {
        let directories = ["copy:/etc", "empty:/run", "empty:/dev/shm", "empty:/var/lib/containers"];
        let machine = Machine::start_with_cgroups(namespace, "podman", &directories)?;
        podman::configure(machine.place()).context("cannot write the settings of Podman")?;
        let socket = machine.place().join("podman.sock");
        Self::start_on(machine, Make::Podman, socket)
    }

    fn start_on(machine: Machine, make: Make, socket: PathBuf) -> Result<Self> {
        let engine = Self {
            machine,
            make,
            socket,
            daemon: Mutex::new(None),
        };
        engine.resume()?;
        Ok(engine)
    }

    /// One engine for all tests of a process, with the test image, in a lab of its own. It ends with the process.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Engine> = OnceLock::new();
        SHARED.get_or_init(|| {
            let start = || -> Result<Self> {
                let engine = Self::start(&Lab::new()?.namespace("engine")?)?;
                engine.import_test_image()?;
                Ok(engine)
            };
            start().expect("an engine for all tests of this process")
        })
    }

    /// [`Engine::shared`] of Podman.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn shared_podman() -> &'static Self {
        static SHARED: OnceLock<Engine> = OnceLock::new();
        SHARED.get_or_init(|| {
            let start = || -> Result<Self> {
                let engine = Self::start_podman(&Lab::new()?.namespace("podman")?)?;
                engine.import_test_image()?;
                Ok(engine)
            };
            start().expect("Podman for all tests of this process")
        })
    }

    /// Makes a network namespace that the engine sees at the path that comes back. It is removed with the lab.
    ///
    /// # Errors
    ///
    /// When `unshare` fails.
    pub fn prepare_namespace(&self, name: &str) -> Result<PathBuf> {
        let path = Path::new("/run/prepared").join(name);
        output(self.machine.command("mkdir").args(["-p", "/run/prepared"]))?;
        output(self.machine.command("touch").arg(&path))?;
        let net = format!("--net={}", path.display());
        output(self.machine.command("unshare").args([&net, "true"]))?;
        Ok(path)
    }

    /// A command that runs beside the engine, with its files and mounts.
    pub fn command_beside(&self, program: &Path) -> Command {
        self.machine.command(program)
    }

    /// A command with the files, mounts and processes of the engine's machine, in another network.
    pub(crate) fn command_in(&self, network: &Namespace, program: &Path) -> Command {
        self.machine.command_in(network, program)
    }

    /// The network namespace it runs in.
    pub fn namespace(&self) -> &Namespace {
        self.machine.namespace()
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where it listens, as settings and `DOCKER_HOST` want it: `unix:///…/docker.sock`.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Starts the engine again after [`Engine::stop`] or [`Engine::kill9`]. Does nothing when it runs.
    ///
    /// # Errors
    ///
    /// When it does not start within a minute; with the end of its log.
    pub fn resume(&self) -> Result<()> {
        let mut daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        if daemon.as_mut().is_some_and(Program::is_running) {
            return Ok(());
        }
        let mut program = self.launch()?;
        program.poll("the engine to answer", PATIENCE, || self.ping())?;
        *daemon = Some(program);
        Ok(())
    }

    /// Stops the engine as a service manager does (SIGTERM). It stops its containers, unless told otherwise.
    ///
    /// # Errors
    ///
    /// When it still runs after a minute.
    pub fn stop(&self) -> Result<()> {
        match self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(mut program) => program.stop(PATIENCE).map(drop),
            None => Ok(()),
        }
    }

    /// Kills the engine (SIGKILL), and with it its containerd. Its containers go on running.
    ///
    /// # Errors
    ///
    /// When its containerd does not end.
    pub fn kill9(&self) -> Result<()> {
        drop(self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take());
        // The kernel kills containerd with its parent, though a little later. An engine that starts before that
        // finds it alive, and waits for it in vain.
        let Ok(pid) = fs::read_to_string(self.machine.place().join("exec/containerd/containerd.pid")) else {
            return Ok(());
        };
        let process = Path::new("/proc").join(pid.trim());
        poll("containerd to end with its engine", PATIENCE, || {
            (!process.exists()).then_some(())
        })
    }

    /// [`Engine::stop`], then [`Engine::resume`].
    ///
    /// # Errors
    ///
    /// When it does not stop or does not start.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.resume()
    }

    /// Keeps the engine from answering (SIGSTOP), until [`Engine::thaw`].
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.running(Program::freeze)
    }

    /// Lets the engine answer again.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.running(Program::thaw)
    }

    /// Asks the engine's API, with a JSON body if one is given.
    ///
    /// # Errors
    ///
    /// When it does not answer within a minute. A status that tells of a fault is an answer.
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let bytes = body.map(Value::to_string);
        let body = bytes.as_ref().map(|bytes| Body {
            kind: "application/json",
            bytes: bytes.as_bytes(),
        });
        http::ask(&self.socket, method, path, body, PATIENCE)
    }

    /// All containers in any state, as `GET /containers/json` lists them.
    ///
    /// # Errors
    ///
    /// When the engine does not answer with a list.
    pub fn containers(&self) -> Result<Vec<Value>> {
        let answer = self.api("GET", "/containers/json?all=1", None)?;
        ensure!(
            answer.status == 200,
            "the engine lists no containers: {}",
            answer.text()
        );
        Ok(serde_json::from_slice(&answer.body)?)
    }

    fn launch(&self) -> Result<Program> {
        let place = self.machine.place();
        match &self.make {
            Make::Docker(arguments) => Program::start(self.dockerd(arguments)?, &place.join("dockerd.log")),
            Make::Podman => {
                let command = podman::service(self.machine.command("podman"), place, &self.url());
                Program::start(command, &place.join("podman.log"))
            }
        }
    }

    fn dockerd(&self, arguments: &[String]) -> Result<Command> {
        let place = self.machine.place();
        let mut command = self.machine.command("dockerd");
        for (option, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            command.arg(option).arg(place.join(name));
        }
        // A pid file of one that was killed names a process that may since be another's.
        fs::remove_file(place.join("pid")).or_else(absent)?;
        command.args([
            "--host",
            &self.url(),
            "--group=root",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
        ]);
        command.args([
            "--ip-forward=false",
            "--userland-proxy=false",
            "--exec-opt=native.cgroupdriver=cgroupfs",
        ]);
        // The guard finds containers by their cgroup, also those whose shim is gone.
        command.arg(format!("--cgroup-parent=/{}", self.namespace().lab().id()));
        command.args(arguments);
        Ok(command)
    }

    fn ping(&self) -> Option<()> {
        let answer = http::ask(&self.socket, "GET", "/_ping", None, PATIENCE).ok()?;
        (answer.status == 200).then_some(())
    }

    fn running(&self, act: impl FnOnce(&mut Program) -> Result<()>) -> Result<()> {
        match self.daemon.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(program) => act(program),
            None => bail!("the engine does not run"),
        }
    }
}

fn absent(fault: io::Error) -> io::Result<()> {
    if fault.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(fault)
    }
}
