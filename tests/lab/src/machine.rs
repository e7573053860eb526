//! The rest of a machine around a network namespace: its own host name, `/run` and `/etc`.
//!
//! Programs that keep state in fixed places (`/run/containerd`, `/etc/docker`, `/var/lib/dhcpcd`, `/etc/resolv.conf`)
//! run here, and find and leave nothing of the real machine's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{Namespace, Program};

/// Makes the directories private, says so, and holds the namespaces open.
const SET_UP: &str = r#"
place=$1; shift
hostname "${place##*/}"
for argument; do
    directory=${argument#*:}
    private=$place/private$directory
    [ -d "$directory" ] || continue
    mkdir -p "$private"
    case $argument in
        copy:*) cp -a "$directory/." "$private" ;;
    esac
    mount --bind "$private" "$directory"
done
: >"$place/ready"
exec sleep infinity
"#;

/// Mount and UTS namespaces beside a network namespace, kept by a process that does nothing else.
pub(crate) struct Machine {
    namespace: Namespace,
    place: PathBuf,
    holder: Program,
}

impl Machine {
    /// Makes one around `namespace`. Of the directories there, `copy:/etc` is a copy of the machine's own, and
    /// `empty:/run` is empty; those that the machine does not have are left out.
    ///
    /// # Errors
    ///
    /// When mounting fails.
    pub(crate) fn start(namespace: &Namespace, name: &str, directories: &[&str]) -> Result<Self> {
        let place = namespace.lab().place(name)?;
        let mut command = namespace.command("unshare");
        command.args([
            "--uts",
            "--mount",
            "--propagation",
            "private",
            "--",
            "sh",
            "-euc",
            SET_UP,
            "machine",
        ]);
        command.arg(&place).args(directories);
        let mut holder = Program::start(command, &place.join("machine.log"))?;
        let ready = place.join("ready");
        holder.poll("private mounts", Duration::from_secs(20), || {
            ready.exists().then_some(())
        })?;
        Ok(Self {
            namespace: namespace.clone(),
            place,
            holder,
        })
    }

    /// The network namespace it is around.
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its directory in the lab.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// Where a private directory of the machine is, seen from outside.
    pub(crate) fn private(&self, directory: &str) -> PathBuf {
        self.place.join("private").join(directory.trim_start_matches('/'))
    }

    /// A command that runs on the machine and belongs to the lab.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.namespace.lab().command("nsenter");
        command.arg(format!("--target={}", self.holder.pid()));
        command.args(["--mount", "--root", "--uts", "--net", "--"]).arg(program);
        command
    }
}
