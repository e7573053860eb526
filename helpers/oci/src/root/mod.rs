//! The file system of a container, as its own processes would see it: no path leads out of it.
//!
//! Processes in the container can rename every file at any moment. So the kernel resolves each path within the
//! container's root directory (`openat2` with `RESOLVE_IN_ROOT`), and every step works on the open file.

mod pack;
mod unpack;
mod users;

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

pub(crate) use pack::pack;
pub(crate) use unpack::{UnpackError, unpack};
pub(crate) use users::User;

/// The root directory of a container.
#[derive(Debug)]
pub(crate) struct Root(OwnedFd);

/// What a file is to be besides its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    /// Permission bits.
    pub(crate) mode: u32,
    /// Number of the owner.
    pub(crate) uid: u32,
    /// Number of the group.
    pub(crate) gid: u32,
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Root {
    /// The root directory at this path of the host.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())?))
    }

    /// Opens what is at this path inside.
    pub(crate) fn resolve(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let path = match path.as_os_str().is_empty() {
            true => Path::new("/"),
            false => path,
        };
        loop {
            match rustix::fs::openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // Somebody renamed something on the way.
                Err(Errno::AGAIN | Errno::INTR) => {}
                opened => return Ok(opened?),
            }
        }
    }

    /// Opens a directory inside.
    pub(crate) fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        self.resolve(path, DIRECTORY)
    }

    /// Opens a directory inside, and makes it and those above it where they are missing.
    pub(crate) fn make_directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let mut made = PathBuf::from("/");
        let mut directory = self.directory(&made)?;
        for component in path.components() {
            let name = match component {
                Component::RootDir | Component::CurDir => continue,
                Component::Normal(name) => name,
                Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
            };
            made.push(name);
            directory = match self.directory(&made) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    self.directory(&made)?
                }
                opened => opened?,
            };
        }
        Ok(directory)
    }

    /// Writes a file, in place of what is there. Directories above it are made.
    pub(crate) fn write(&self, path: &Path, content: &[u8], attributes: Attributes) -> io::Result<()> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let directory = self.make_directory(path.parent().unwrap_or(Path::new("/")))?;
        let mut file = create(&directory, name.as_ref())?;
        file.write_all(content)?;
        set_attributes(&file, attributes)
    }

    /// Reads a file of at most `limit` bytes; `None` when there is none.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        use std::io::Read;
        // A pipe that nobody writes to must not block.
        let opened = self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK);
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => std::fs::File::from(opened?),
        };
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// Makes a new file in a directory, in place of what has its name.
fn create(directory: impl AsFd, name: &Path) -> io::Result<std::fs::File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        match rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o600)) {
            Ok(file) => return Ok(file.into()),
            Err(Errno::EXIST) => remove(&directory, name)?,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Removes a name in a directory that is no directory itself. One that is gone is success.
fn remove(directory: impl AsFd, name: &Path) -> io::Result<()> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Gives an open file its owner and mode. The owner comes first: a change of owner takes bits of the mode away.
fn set_attributes(file: impl AsFd, attributes: Attributes) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    rustix::fs::fchown(&file, Some(uid), Some(gid))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(attributes.mode & 0o7777))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory that is removed with the test.
    pub(super) struct Place(pub(super) PathBuf);

    impl Place {
        pub(super) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("orchestrator-root-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(path.join("root/etc")).unwrap();
            fs::create_dir_all(path.join("outside")).unwrap();
            Self(path)
        }

        pub(super) fn root(&self) -> Root {
            Root::open(&self.0.join("root")).unwrap()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const PLAIN: Attributes = Attributes {
        mode: 0o640,
        uid: 0,
        gid: 0,
    };

    fn own() -> Attributes {
        Attributes {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            ..PLAIN
        }
    }

    #[test]
    fn no_link_leads_out() {
        let place = Place::new("links");
        fs::write(place.0.join("outside/secret"), "secret").unwrap();
        symlink(place.0.join("outside"), place.0.join("root/absolute")).unwrap();
        symlink("../../outside", place.0.join("root/etc/relative")).unwrap();
        let root = place.root();
        for path in [
            "/absolute/secret",
            "/etc/relative/secret",
            "/../outside/secret",
            "/etc/../../outside/secret",
        ] {
            assert_eq!(root.read(Path::new(path), 99).unwrap(), None, "{path}");
        }
        // The link means a directory inside, which is not there: it is a dangling link, and nothing is written.
        root.write(Path::new("/absolute/new"), b"x", own()).unwrap_err();
        root.make_directory(Path::new("/etc/../../outside")).unwrap_err();
        assert_eq!(fs::read_dir(place.0.join("outside")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_takes_the_place_of_a_link_and_not_of_what_it_means() {
        let place = Place::new("replaced");
        fs::write(place.0.join("root/etc/target"), "old").unwrap();
        symlink("target", place.0.join("root/etc/link")).unwrap();
        let root = place.root();
        root.write(Path::new("/etc/link"), b"new", own()).unwrap();
        assert_eq!(
            root.read(Path::new("/etc/target"), 99).unwrap().as_deref(),
            Some(&b"old"[..])
        );
        assert_eq!(
            root.read(Path::new("/etc/link"), 99).unwrap().as_deref(),
            Some(&b"new"[..])
        );
        root.write(Path::new("/a/b/c"), b"deep", own()).unwrap();
        assert_eq!(root.read(Path::new("/a/b/c"), 2).unwrap().as_deref(), Some(&b"de"[..]));
    }
}
