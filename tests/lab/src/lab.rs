//! A lab: a directory, and a guard that removes everything the lab made, however its owner ends.
//!
//! ```text
//!   owner ── pipe ──▶ guard        the owner drops the lab, panics, exits, is killed: the pipe closes,
//!     │                 │          and the guard removes the lab: processes, namespaces, cgroups, directory
//!     └── makes ──▶ lab ◀── removes
//! ```
//!
//! There is one way to clean up, and it does not depend on the owner being alive. Should the guard be killed as
//! well, the next lab on the machine sweeps up.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Uid;

use crate::Namespace;

/// The guard, as a script: a program of its own that needs nothing built.
const GUARD: &str = include_str!("guard.sh");

/// Marks every process of a lab: its environment carries the lab's id under this name, and so does its children's.
pub(crate) const MARK: &str = "ORCHESTRATOR_LAB";

/// Labs of this process so far.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A place for namespaces, engines, databases and clients. What is made in it keeps it alive; when the last of
/// that and the lab itself are dropped, everything is removed.
///
/// # Panics
///
/// Dropping it panics when something could not be removed, unless a panic is under way already.
#[derive(Clone)]
pub struct Lab(Arc<Guarded>);

struct Guarded {
    id: String,
    directory: PathBuf,
    /// None once the lab was removed.
    guard: Mutex<Option<Child>>,
    /// Things made in this lab so far, for their names.
    made: AtomicU32,
}

impl Lab {
    /// Sweeps up after labs whose owners are dead, then makes a new one.
    ///
    /// # Errors
    ///
    /// Without root, or when its directory or guard cannot be made.
    pub fn new() -> Result<Self> {
        ensure!(
            Uid::effective().is_root(),
            "the lab makes network namespaces, and only root may: run this as root"
        );
        let base = env::temp_dir();
        sweep(&base)?;
        let id = format!("olab-{}-{}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = base.join(&id);
        // Other users may pass through it, as PostgreSQL must, but not look around.
        DirBuilder::new()
            .mode(0o711)
            .create(&directory)
            .with_context(|| format!("cannot make {directory:?}"))?;
        let guard = match start_guard(&directory) {
            Ok(guard) => guard,
            Err(fault) => {
                fs::remove_dir_all(&directory).ok();
                return Err(fault);
            }
        };
        Ok(Self(Arc::new(Guarded {
            id,
            directory,
            guard: Mutex::new(Some(guard)),
            made: AtomicU32::new(0),
        })))
    }

    /// The lab's id, unique on the machine: prefix of everything outside its directory.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The lab's own directory. Removed with it.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// A new directory for one thing in the lab, named after it.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn place(&self, thing: &str) -> Result<PathBuf> {
        let number = self.0.made.fetch_add(1, Ordering::Relaxed);
        let place = self.directory().join(format!("{thing}{number}"));
        fs::create_dir(&place).with_context(|| format!("cannot make {place:?}"))?;
        Ok(place)
    }

    /// A new network namespace, called `name` in this lab.
    ///
    /// # Errors
    ///
    /// When the lab has one of that name, or `ip` fails.
    pub fn namespace(&self, name: &str) -> Result<Namespace> {
        Namespace::create(self, name)
    }

    /// Removes the lab now, and everything that is in it, from whichever thread. Dropping it does nothing more.
    ///
    /// # Errors
    ///
    /// When something could not be removed.
    pub fn remove(&self) -> Result<()> {
        self.0.remove()
    }

    /// A command that belongs to the lab: it runs in the machine's own namespaces, and is killed with the lab.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env(MARK, self.id()).stdin(Stdio::null());
        command
    }
}

/// Removes the labs below `base` whose owners are dead.
fn sweep(base: &Path) -> Result<()> {
    let output = Command::new("sh")
        .args(["-c", GUARD, "guard.sh", "sweep"])
        .arg(base)
        .stdin(Stdio::null())
        .output()
        .context("cannot run sh to sweep up after earlier labs")?;
    let left = String::from_utf8_lossy(&output.stdout);
    if !left.is_empty() {
        eprintln!("left by an earlier lab, and it will not go:\n{left}");
    }
    Ok(())
}

/// Starts the guard of the lab in `directory`, which this process owns.
fn start_guard(directory: &Path) -> Result<Child> {
    fs::write(directory.join("owner"), started()?).context("cannot write down who owns the lab")?;
    let script = directory.join("guard.sh");
    fs::write(&script, GUARD).with_context(|| format!("cannot write {script:?}"))?;
    Command::new("sh")
        .arg(&script)
        .arg("watch")
        .arg(directory)
        .current_dir("/")
        .env_remove(MARK)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What the terminal sends to the owner's group is not meant for the guard.
        .process_group(0)
        .spawn()
        .context("cannot start the lab's guard")
}

/// When this process started, in the kernel's ticks since boot.
fn started() -> Result<String> {
    let stat = fs::read_to_string("/proc/self/stat").context("cannot read /proc/self/stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    match fields.split(' ').nth(19) {
        Some(ticks) => Ok(ticks.to_owned()),
        None => bail!("/proc/self/stat has no start time: {stat:?}"),
    }
}

impl Guarded {
    /// Tells the guard to remove the lab, and waits until it has.
    fn remove(&self) -> Result<()> {
        let Some(mut guard) = self.guard.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        drop(guard.stdin.take());
        let mut left = String::new();
        if let Some(mut output) = guard.stdout.take() {
            output
                .read_to_string(&mut left)
                .context("the guard does not tell whether the lab is gone")?;
        }
        guard.wait()?;
        ensure!(left.is_empty(), "lab {} left behind:\n{left}", self.id);
        Ok(())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        match self.remove() {
            Ok(()) => {}
            Err(fault) if thread::panicking() => eprintln!("{fault:#}"),
            Err(fault) => panic!("{fault:#}"),
        }
    }
}
