//! A network namespace that is made ahead of the container that will run in it, so that it is wired meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use nix::sched::{CloneFlags, unshare};

/// A network namespace that nothing runs in yet. It lives for as long as this is open, or something runs in it.
pub(super) struct EarlyNamespace(File);

impl EarlyNamespace {
    /// Makes one. Its loopback interface is down until it is wired.
    pub(super) fn make() -> io::Result<Self> {
        // The shim itself stays where it is: the runtime refuses the kernel's settings of its own network.
        let made = std::thread::spawn(|| -> io::Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        let made = made.join();
        made.unwrap_or_else(|_| Err(io::Error::other("the thread that makes it ended early")))
            .map(Self)
    }

    /// Where it is, for other processes of this machine, for as long as this is open.
    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn it_is_another_network_than_ours_and_goes_when_it_is_closed() {
        let own = fs::metadata("/proc/self/ns/net").unwrap().ino();
        let Ok(made) = EarlyNamespace::make() else {
            // Not permitted to others than root.
            assert!(!nix::unistd::geteuid().is_root());
            return;
        };
        let path = made.path();
        assert_ne!(fs::metadata(&path).unwrap().ino(), own);
        drop(made);
        assert!(fs::metadata(&path).is_err(), "{}", path.display());
    }
}
