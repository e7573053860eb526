//! A btrfs of its own, in a file.

use std::fs::{self, File};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// Bytes of the file system.
const SIZE: u64 = 300 << 20;
/// A directory that every machine has. Only the thread sees what is mounted there.
const PLACE: &str = "/mnt";

/// A btrfs that only this thread sees, with the threads and programs that it starts from now on. It is gone with them,
/// however they end: it is in memory, and mounted in a mount namespace of theirs.
#[derive(Debug)]
pub struct Btrfs {
    path: PathBuf,
    _stays_on_its_thread: PhantomData<*const ()>,
}

impl Btrfs {
    /// Makes and mounts one, with quotas or without.
    ///
    /// # Errors
    ///
    /// When a program is missing or fails.
    pub fn mount(has_quotas: bool) -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS).context("give the thread a mount namespace")?;
        mount_at("/", None, MsFlags::MS_REC | MsFlags::MS_PRIVATE)?;
        mount_at(PLACE, Some("tmpfs"), MsFlags::empty())?;
        let (image, path) = (Path::new(PLACE).join("image"), Path::new(PLACE).join("btrfs"));
        File::create(&image)?.set_len(SIZE)?;
        fs::create_dir(&path)?;
        run("mkfs.btrfs", &["-q", &image.display().to_string()])?;
        let mounted = [&image.display().to_string(), &path.display().to_string()];
        // It lets go of what was removed when it commits: by itself twice a minute.
        run("mount", &["-o", "loop,commit=1", mounted[0], mounted[1]])?;
        if has_quotas {
            run("btrfs", &["quota", "enable", mounted[1]])?;
            run("btrfs", &["quota", "rescan", "-w", mounted[1]])?;
        }
        Ok(Self {
            path,
            _stays_on_its_thread: PhantomData,
        })
    }

    /// Its uppermost directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `btrfs`, and gives what it prints.
    ///
    /// # Errors
    ///
    /// When it fails, with what it says.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        run("btrfs", arguments)
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        let _ = umount2(&self.path, MntFlags::MNT_DETACH);
        let _ = umount2(PLACE, MntFlags::MNT_DETACH);
    }
}

fn mount_at(place: &str, kind: Option<&str>, flags: MsFlags) -> Result<()> {
    mount(kind, place, kind, flags, None::<&str>).with_context(|| format!("mount at {place}"))
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .output()
        .with_context(|| format!("run {program}; the package btrfs-progs has it"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}
