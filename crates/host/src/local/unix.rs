//! Connects to a Unix socket within a container.
//!
//! The container's files are its own: any name in a path may be a link that leads elsewhere, or be exchanged for one at
//! any moment. So the kernel resolves the whole path with the container's root as the root, and the socket that it found
//! is connected to by its descriptor, without its path.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use orchestrator_plugin::FoundState;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::LocalHost;
use crate::{Cause, ContainerRef, NoAnswer};

/// The wait before another try when the socket takes no connection at the moment.
const PAUSE: Duration = Duration::from_millis(10);

impl LocalHost {
    /// Connects to the socket at an absolute path in the file system of a container that runs.
    ///
    /// # Errors
    ///
    /// [`Refused`](NoAnswer::Refused) when there is no such socket or nobody listens,
    /// [`TimedOut`](NoAnswer::TimedOut) at the deadline.
    pub(super) async fn connect_unix(
        &self,
        container: &ContainerRef,
        path: &Path,
        deadline: Instant,
    ) -> Result<UnixStream, NoAnswer> {
        let connected = async {
            let socket = self.find_socket(container, path).await?;
            connect(&socket).await
        };
        timeout_at(deadline, connected).await.map_err(|_| NoAnswer::TimedOut)?
    }

    async fn find_socket(&self, container: &ContainerRef, path: &Path) -> Result<OwnedFd, NoAnswer> {
        let pid = self.process_of(container).await?;
        let path = path.to_owned();
        let open = move || {
            let root = open_root(pid)?;
            Ok((open_socket(&root, &path), root))
        };
        // The container's file systems may take their time.
        let opened: io::Result<_> = tokio::task::spawn_blocking(open).await.map_err(io::Error::other)?;
        let (socket, _root) = opened.map_err(NoAnswer::Local)?;
        // The number may have been another process's by the time that its root was opened.
        match self.process_of(container).await? == pid {
            true => socket,
            false => Err(NoAnswer::Refused),
        }
    }

    async fn process_of(&self, container: &ContainerRef) -> Result<u32, NoAnswer> {
        let found = async {
            let engine = self.engine(&container.engine)?;
            Ok::<_, Cause>(engine.find(&container.container()).await?)
        };
        let found = found.await.map_err(|fault| io::Error::other(fault.text()))?;
        match found.map(|found| found.state) {
            Some(FoundState::Running(running) | FoundState::Paused(running)) => Ok(running.pid),
            _ => Err(NoAnswer::Refused),
        }
    }
}

/// The root directory of a process.
fn open_root(pid: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags((OFlag::O_PATH | OFlag::O_DIRECTORY).bits());
    options.open(format!("/proc/{pid}/root"))
}

/// Finds a socket under a root. Links on the way are followed as a process with this root follows them: none leads out.
fn open_socket(root: &File, path: &Path) -> Result<OwnedFd, NoAnswer> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let found = openat2(root, path, how).map_err(io::Error::from);
    let found = File::from(found.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NoAnswer::Refused,
        _ => NoAnswer::Local(error),
    })?);
    match found.metadata()?.file_type().is_socket() {
        true => Ok(found.into()),
        false => Err(NoAnswer::Local(io::Error::other(format!(
            "{} is no socket",
            path.display()
        )))),
    }
}

/// Connects to the socket that a descriptor stands for.
async fn connect(socket: &OwnedFd) -> Result<UnixStream, NoAnswer> {
    let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
    loop {
        match UnixStream::connect(&path).await {
            // Its queue is full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(PAUSE).await,
            connected => return connected.map_err(NoAnswer::of),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use tokio::io::AsyncReadExt;

    use super::*;

    /// A directory that goes with the test, with a root in it.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("orc-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("root/run")).unwrap();
            Self(path)
        }

        fn root(&self) -> File {
            File::open(self.0.join("root")).unwrap()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_socket_is_reached_also_by_links_within_the_root() {
        let place = Place::new("within");
        let listener = UnixListener::bind(place.0.join("root/run/app.sock")).unwrap();
        // Absolute for the process, not for us.
        symlink("/run/app.sock", place.0.join("root/link")).unwrap();
        symlink("../../../../run", place.0.join("root/up")).unwrap();
        for path in ["/run/app.sock", "/link", "/up/app.sock", "/../run/app.sock"] {
            let socket = open_socket(&place.root(), Path::new(path)).unwrap();
            let mut stream = connect(&socket).await.unwrap();
            drop(listener.accept().unwrap());
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "{path}");
        }
    }

    #[tokio::test]
    async fn no_link_leads_out_of_the_root() {
        let place = Place::new("out");
        let outside = place.0.join("outside.sock");
        let _listener = UnixListener::bind(&outside).unwrap();
        let root = place.0.join("root");
        symlink(&outside, root.join("absolute")).unwrap();
        symlink("../outside.sock", root.join("relative")).unwrap();
        symlink(&place.0, root.join("directory")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        for path in [
            "absolute",
            "relative",
            "directory/outside.sock",
            "../outside.sock",
            "magic/outside.sock",
        ] {
            let refused = open_socket(&place.root(), Path::new(path));
            assert!(matches!(refused, Err(NoAnswer::Refused)), "{path}: {refused:?}");
        }
    }

    #[test]
    fn what_is_no_socket_is_not_connected_to() {
        let place = Place::new("none");
        fs::write(place.0.join("root/file"), "").unwrap();
        for path in ["/file", "/run"] {
            let refused = open_socket(&place.root(), Path::new(path)).unwrap_err();
            assert!(matches!(refused, NoAnswer::Local(_)), "{path}: {refused}");
        }
        let dead = place.0.join("root/dead");
        drop(UnixListener::bind(&dead).unwrap());
        let socket = open_socket(&place.root(), Path::new("/dead")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let refused = runtime.block_on(connect(&socket));
        assert!(matches!(refused, Err(NoAnswer::Refused)), "{refused:?}");
    }
}
