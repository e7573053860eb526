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
///
/// With `cgroup:LAB`, the cgroups of the lab become the tops of all hierarchies.
const SET_UP: &str = r#"
place=$1; shift
hostname "${place##*/}"
for argument; do
    directory=${argument#*:}
    case $argument in
        cgroup:*)
            tops=/sys/fs/cgroup
            [ -e /sys/fs/cgroup/cgroup.procs ] || tops='/sys/fs/cgroup/*'
            for top in $tops; do
                [ -h "$top" ] || [ ! -d "$top/$directory" ] || mount --bind "$top/$directory" "$top"
            done
            continue ;;
    esac
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

/// Moves itself into the cgroup of the lab in every hierarchy, and becomes another program.
const ENTER_CGROUP: &str = r#"
lab=$1; shift
tops=/sys/fs/cgroup
[ -e /sys/fs/cgroup/cgroup.procs ] || tops='/sys/fs/cgroup/*'
for top in $tops; do
    [ -e "$top/cgroup.procs" ] || continue
    mkdir -p "$top/$lab"
    for file in cpuset.cpus cpuset.mems; do
        [ ! -e "$top/$file" ] || cat "$top/$file" >"$top/$lab/$file"
    done
    echo $$ >"$top/$lab/cgroup.procs"
done
exec "$@"
"#;

/// Mount and UTS namespaces beside a network namespace, kept by a process that does nothing else.
pub(crate) struct Machine {
    namespace: Namespace,
    place: PathBuf,
    holder: Program,
    /// Whether it has a cgroup namespace of its own.
    has_cgroups: bool,
}

impl Machine {
    /// Makes one around `namespace`. Of the directories there, `copy:/etc` is a copy of the machine's own, and
    /// `empty:/run` is empty; those that the machine does not have are left out.
    ///
    /// # Errors
    ///
    /// When mounting fails.
    pub(crate) fn start(namespace: &Namespace, name: &str, directories: &[&str]) -> Result<Self> {
        Self::start_in(namespace, name, directories, false)
    }

    /// [`Machine::start`] with the cgroups of the lab as all the cgroups that there are: what makes cgroups at the top of
    /// the hierarchies makes them within the lab, which removes them.
    ///
    /// # Errors
    ///
    /// When mounting fails.
    pub(crate) fn start_with_cgroups(namespace: &Namespace, name: &str, directories: &[&str]) -> Result<Self> {
        Self::start_in(namespace, name, directories, true)
    }

    fn start_in(namespace: &Namespace, name: &str, directories: &[&str], has_cgroups: bool) -> Result<Self> {
        let place = namespace.lab().place(name)?;
        let lab = namespace.lab().id();
        let mut command = match has_cgroups {
            true => namespace.command("sh"),
            false => namespace.command("unshare"),
        };
        if has_cgroups {
            command.args(["-euc", ENTER_CGROUP, "machine", lab, "unshare", "--cgroup"]);
        }
        command.args(["--uts", "--mount", "--propagation", "private", "--"]);
        command.args(["sh", "-euc", SET_UP, "machine"]);
        command.arg(&place).args(directories);
        if has_cgroups {
            command.arg(format!("cgroup:{lab}"));
        }
        let mut holder = Program::start(command, &place.join("machine.log"))?;
        let ready = place.join("ready");
        holder.poll("private mounts", Duration::from_secs(20), || {
            ready.exists().then_some(())
        })?;
        Ok(Self {
            namespace: namespace.clone(),
            place,
            holder,
            has_cgroups,
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
        self.command_in(&self.namespace, program)
    }

    /// A command that runs on the machine, in another network.
    pub(crate) fn command_in(&self, network: &Namespace, program: impl AsRef<OsStr>) -> Command {
        let lab = self.namespace.lab();
        let mut command = match self.has_cgroups {
            true => lab.command("sh"),
            false => lab.command("nsenter"),
        };
        if self.has_cgroups {
            command.args(["-euc", ENTER_CGROUP, "machine", lab.id(), "nsenter", "--cgroup"]);
        }
        command.arg(format!("--target={}", self.holder.pid()));
        command.args(["--mount", "--root", "--uts"]);
        command.arg(format!("--net={}", network.path().display()));
        command.arg("--").arg(program);
        command
    }
}
