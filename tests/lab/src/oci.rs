//! The helper `orchestrator-oci`, which runs containers by `runc`, with a state of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::balancer::{BALANCER_IMAGE, lay_out_balancer_image};
use crate::http::{self, Body};
use crate::image::{TEST_IMAGE, TEST_PORT, image_archive, lay_out_test_image};
use crate::{Lab, Program};

/// How long the helper may take to start or stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is in front of the helper's program, such as a program that takes capabilities away.
type Prefix = Vec<String>;

/// A helper with its containers. All of it goes with the lab.
pub struct Oci {
    lab: Lab,
    place: PathBuf,
    state: PathBuf,
    binary: PathBuf,
    prefix: Prefix,
    /// What follows its own arguments.
    arguments: Vec<String>,
    /// Locked while the helper starts or ends, so that tests may share it.
    helper: Mutex<Option<Program>>,
}

impl Oci {
    /// Starts a helper, and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it does not start within a minute; with the end of its log.
    pub fn start(lab: &Lab, binary: &Path) -> Result<Self> {
        Self::start_by(lab, binary, &[])
    }

    /// [`Oci::start`] by another program, which is given the helper's as its last argument.
    ///
    /// # Errors
    ///
    /// As [`Oci::start`].
    pub fn start_by(lab: &Lab, binary: &Path, prefix: &[&str]) -> Result<Self> {
        let place = lab.place("oci")?;
        let state = place.join("state");
        Self::start_in(lab, binary, prefix, &[], &place, state)
    }

    /// [`Oci::start`] with further arguments, such as another runtime.
    ///
    /// # Errors
    ///
    /// As [`Oci::start`].
    pub fn start_with(lab: &Lab, binary: &Path, arguments: &[&str]) -> Result<Self> {
        let place = lab.place("oci")?;
        let state = place.join("state");
        Self::start_in(lab, binary, &[], arguments, &place, state)
    }

    /// [`Oci::start`] with its state in this directory. The caller removes that.
    ///
    /// # Errors
    ///
    /// As [`Oci::start`].
    pub fn start_with_state(lab: &Lab, binary: &Path, state: &Path) -> Result<Self> {
        Self::start_in(lab, binary, &[], &[], &lab.place("oci")?, state.to_owned())
    }

    fn start_in(
        lab: &Lab,
        binary: &Path,
        prefix: &[&str],
        arguments: &[&str],
        place: &Path,
        state: PathBuf,
    ) -> Result<Self> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let oci = Self {
            prefix: owned(prefix),
            arguments: owned(arguments),
            lab: lab.clone(),
            place: place.to_owned(),
            state,
            binary: binary.to_owned(),
            helper: Mutex::new(None),
        };
        oci.resume()?;
        Ok(oci)
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.place.join("helper.sock")
    }

    /// The directory of its state.
    pub fn state(&self) -> PathBuf {
        self.state.clone()
    }

    /// The section of a daemon's settings that names it as the engine `oci`, with more lines.
    pub fn section(&self, lines: &str) -> String {
        format!("[engine.oci]\nsocket = \"{}\"\n{lines}\n", self.socket().display())
    }

    /// Starts the helper again after [`Oci::stop`] or [`Oci::kill9`]. Does nothing when it runs.
    ///
    /// # Errors
    ///
    /// When it does not start within a minute; with the end of its log.
    pub fn resume(&self) -> Result<()> {
        let mut helper = self.helper.lock().unwrap_or_else(PoisonError::into_inner);
        if helper.as_mut().is_some_and(Program::is_running) {
            return Ok(());
        }
        let mut words = self.prefix.iter().map(OsStr::new).chain([self.binary.as_os_str()]);
        let program = words.next().context("there is a program")?;
        let mut command = self.lab.command(program);
        command.args(words);
        command.arg("serve").arg("--socket").arg(self.socket());
        command.arg("--state").arg(self.state());
        // The guard finds containers by their cgroup, also those whose shim is gone.
        command.arg(format!("--cgroup=/{}", self.lab.id()));
        command.args(&self.arguments);
        let mut program = Program::start(command, &self.place.join("helper.log"))?;
        program.poll("the helper to answer", PATIENCE, || {
            self.ask("GET", "/version", None).ok()
        })?;
        *helper = Some(program);
        Ok(())
    }

    /// Stops the helper as a service manager does (SIGTERM). Containers run on.
    ///
    /// # Errors
    ///
    /// When it still runs after a minute.
    pub fn stop(&self) -> Result<()> {
        match self.helper.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(mut program) => program.stop(PATIENCE).map(drop),
            None => Ok(()),
        }
    }

    /// Kills the helper (SIGKILL). Containers run on.
    pub fn kill9(&self) {
        drop(self.helper.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Asks the helper, with a JSON body if one is given.
    ///
    /// # Errors
    ///
    /// When it does not answer within a minute, or answers a fault.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let bytes = body.map(Value::to_string);
        let body = bytes.as_ref().map(|bytes| Body {
            kind: "application/json",
            bytes: bytes.as_bytes(),
        });
        let answer = http::ask(&self.socket(), method, path, body, PATIENCE)?;
        ensure!(
            answer.status == 200,
            "{method} {path}: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()
    }

    /// What the helper said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.place.join("helper.log")).unwrap_or_default()
    }

    /// Makes the image [`TEST_IMAGE`]: see [`Engine::import_test_image`](crate::Engine::import_test_image).
    ///
    /// # Errors
    ///
    /// When busybox-static is not installed, or the helper refuses the image.
    pub fn import_test_image(&self) -> Result<()> {
        self.tag(TEST_IMAGE)
    }

    /// Loads an archive as `docker save` writes them.
    ///
    /// # Errors
    ///
    /// When the archive cannot be read, or the helper refuses it.
    pub fn load_image(&self, archive: &Path) -> Result<Value> {
        let bytes = fs::read(archive).with_context(|| format!("cannot read {}", archive.display()))?;
        self.upload(&bytes)
    }

    /// Gives the test image this name, too.
    ///
    /// # Errors
    ///
    /// When the helper refuses the image.
    pub fn tag(&self, name: &str) -> Result<()> {
        self.upload(&self.archive(name, "the test image")?).map(drop)
    }

    /// Takes a name from an image.
    ///
    /// # Errors
    ///
    /// When the helper does not.
    pub fn untag(&self, name: &str) -> Result<()> {
        self.ask("POST", "/v1/images/remove", Some(&json!({ "image": name })))
            .map(drop)
    }

    fn upload(&self, archive: &[u8]) -> Result<Value> {
        let body = Body {
            kind: "application/x-tar",
            bytes: archive,
        };
        let answer = http::ask(&self.socket(), "POST", "/v1/images/load", Some(body), PATIENCE)?;
        ensure!(
            answer.status == 200,
            "loading an image: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()
    }

    /// An archive of the test image in Docker's layout, with this name. Another comment makes it another image.
    ///
    /// # Errors
    ///
    /// When busybox-static is not installed.
    pub fn archive(&self, name: &str, comment: &str) -> Result<Vec<u8>> {
        let port = format!("[::]:{TEST_PORT}");
        let settings = json!({ "Cmd": ["httpd", "-f", "-p", port, "-h", "/www"], "Labels": { "comment": comment } });
        let lay_out = |root: &Path| lay_out_test_image(root).context("cannot lay out the test image");
        self.archive_of(name, comment, &settings, lay_out)
    }

    /// Makes the image [`BALANCER_IMAGE`]: this machine's HAProxy with the entry point of `docker/balancer`.
    ///
    /// # Errors
    ///
    /// When haproxy or busybox-static is not installed, or the helper refuses the image.
    pub fn import_balancer_image(&self) -> Result<()> {
        let settings = json!({
            "User": "balancer", "WorkingDir": "/var/lib/balancer", "Entrypoint": ["/usr/bin/balancer-entrypoint"],
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
        });
        let lay_out = |root: &Path| lay_out_balancer_image(root).context("cannot lay out the image of the balancer");
        self.upload(&self.archive_of(BALANCER_IMAGE, "the balancer", &settings, lay_out)?)
            .map(drop)
    }

    /// An archive in Docker's layout of what is laid out in a directory.
    fn archive_of(
        &self,
        name: &str,
        comment: &str,
        settings: &Value,
        lay_out: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let root = self.lab.place("image")?.join("root");
        lay_out(&root)?;
        let archive = image_archive(&self.lab, &root, name, comment, settings)?;
        let bytes = fs::read(&archive)?;
        fs::remove_dir_all(&root)?;
        fs::remove_file(&archive)?;
        Ok(bytes)
    }

    /// The shims that hold containers now.
    ///
    /// # Errors
    ///
    /// When `/proc` cannot be read.
    pub fn shims(&self) -> Result<Vec<u32>> {
        let mut shims = Vec::new();
        let place = self.state().display().to_string();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            if line.contains("\0shim\0") && line.contains(&place) {
                shims.push(pid);
            }
        }
        Ok(shims)
    }

    /// The lab that it belongs to.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The process of the helper.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn pid(&self) -> Result<u32> {
        match self.helper.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(program) => Ok(program.pid()),
            None => bail!("the helper does not run"),
        }
    }
}

/// The helper's program beside the daemon's, built by the cargo that runs the tests. Without one, as it is.
///
/// # Errors
///
/// When it cannot be built, or is not there.
pub fn oci_program(daemon: &Path) -> Result<PathBuf> {
    let program = daemon.with_file_name("orchestrator-oci");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--package", "orchestrator-oci"]);
        if daemon.components().any(|part| part.as_os_str() == "release") {
            command.arg("--release");
        }
        let status = command.status().context("cannot run cargo")?;
        ensure!(status.success(), "the helper cannot be built");
    }
    ensure!(
        program.exists(),
        "there is no {}; build it: cargo build --package orchestrator-oci",
        program.display()
    );
    Ok(program)
}
