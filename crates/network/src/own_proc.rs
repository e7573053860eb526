//! A `/proc` of our own, by which the settings of many namespaces are reached.
//!
//! The kernel keeps one list for each mount of `proc`: that of the `/proc/sys/net/ipv6` of all namespaces which were looked
//! at through it. Before it adds a namespace, it goes through the whole list three times. With 3,000 instances that takes
//! several milliseconds, half of what one more instance costs. A mount of our own has a list of its own, and is replaced
//! before that is long.
//!
//! The mount is nowhere: it has no path, only this process has it, and it goes with its descriptor.

use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::NetworkError;
use crate::sysctl::Ipv6Settings;

/// How many namespaces are looked at through one mount.
const NAMESPACES: usize = 64;

/// Mounts of `proc`, one after the other.
#[derive(Debug, Default)]
pub(crate) struct OwnProc(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// The next one is made when it is needed.
    #[default]
    None,
    /// This one is used; it may be for so many namespaces more.
    Mounted(Arc<OwnedFd>, usize),
    /// The kernel has no such mounts, or refuses them.
    Refused,
}

impl OwnProc {
    /// Opens the IPv6 settings of the calling thread's namespace. Where the kernel refuses a mount, the machine's `/proc`
    /// does it, too.
    pub(crate) fn ipv6_settings(&self) -> Result<Ipv6Settings, NetworkError> {
        if let Some(mount) = self.mount() {
            match Ipv6Settings::open_by(mount) {
                Ok(settings) => return Ok(settings),
                // A security module may judge by paths, and the mount has none.
                Err(fault) => self.refuse(&fault),
            }
        }
        Ipv6Settings::open()
    }

    /// Uses the machine's `/proc` from now on.
    fn refuse(&self, reason: &impl Display) {
        tracing::info!(%reason, "no /proc of our own: that of the machine is used");
        *self.state() = State::Refused;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mount for one more namespace.
    fn mount(&self) -> Option<Arc<OwnedFd>> {
        let mut state = self.state();
        if let State::Mounted(mount, left @ 1..) = &mut *state {
            *left -= 1;
            return Some(mount.clone());
        }
        if matches!(*state, State::Refused) {
            return None;
        }
        match mount() {
            Ok(made) => {
                let made = Arc::new(made);
                *state = State::Mounted(made.clone(), NAMESPACES - 1);
                Some(made)
            }
            // For want of descriptors or memory: the next one may be had.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => None,
            Err(error) => {
                drop(state);
                self.refuse(&error);
                None
            }
        }
    }
}

/// Mounts `proc` nowhere.
fn mount() -> Result<OwnedFd, Errno> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::sched::{CloneFlags, unshare};
    use nix::unistd::geteuid;

    use super::*;

    fn disabled(settings: &Ipv6Settings) -> Option<String> {
        settings.read("default", "disable_ipv6")
    }

    #[test]
    fn each_thread_gets_the_settings_of_its_own_namespace() {
        let proc = OwnProc::default();
        let before = disabled(&proc.ipv6_settings().unwrap());
        if !geteuid().is_root() {
            assert!(matches!(*proc.0.lock().unwrap(), State::Refused));
            return;
        }
        assert!(matches!(*proc.0.lock().unwrap(), State::Mounted(..)));
        thread::scope(|scope| {
            let of_other = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                let settings = proc.ipv6_settings().unwrap();
                settings.ensure("default", "disable_ipv6", "1").unwrap();
                // By the machine's `/proc`, too.
                disabled(&Ipv6Settings::open().unwrap())
            });
            assert_eq!(of_other.join().unwrap().as_deref(), Some("1"));
        });
        assert_eq!(disabled(&proc.ipv6_settings().unwrap()), before);
        assert_eq!(disabled(&Ipv6Settings::open().unwrap()), before);
    }

    #[test]
    fn a_mount_is_replaced_when_it_was_used_for_many_and_lives_for_as_long_as_it_is_used() {
        if !geteuid().is_root() {
            return;
        }
        let proc = OwnProc::default();
        let first = proc.mount().unwrap();
        for _ in 1..NAMESPACES {
            assert!(Arc::ptr_eq(&first, &proc.mount().unwrap()));
        }
        let next = proc.mount().unwrap();
        assert!(!Arc::ptr_eq(&first, &next));
        for mount in [&first, &next] {
            Ipv6Settings::open_by(mount).unwrap();
        }
    }

    #[test]
    fn where_the_kernel_refuses_a_mount_the_machine_s_proc_is_used() {
        let proc = OwnProc(Mutex::new(State::Refused));
        assert!(disabled(&proc.ipv6_settings().unwrap()).is_some());
    }
}
