//! Writes a layer to disk. Entries become files below one directory, and nowhere else.
//!
//! The kernel resolves each path with that directory as its root (`openat2`, `RESOLVE_IN_ROOT`), so that a link that
//! leads out leads to the root of the layer. The last name of a path is never followed.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{
    self, AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::entry::Entries;
use super::header::{Entry, Kind};
use super::path::{EntryPath, Meaning};
use super::{LayerFault, Unpacked};

/// The attribute of a directory that hides the layers below.
pub(crate) const OPAQUE: &str = "trusted.overlay.opaque";

/// The flags with which a directory is opened.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A layer that is being unpacked.
pub(crate) struct Tree {
    root: OwnedFd,
    depth: usize,
    unpacked: Unpacked,
    /// Directories whose times are set at the end, because unpacking into a directory changes its time.
    times: Vec<(EntryPath, Timestamps)>,
}

impl Tree {
    /// A layer at an empty directory. Nothing in it is deeper than `depth`.
    pub(crate) fn new(root: OwnedFd, depth: usize) -> Self {
        Self {
            root,
            depth,
            unpacked: Unpacked {
                bytes: 0,
                entries: 0,
                left_out: 0,
                is_opaque: false,
            },
            times: Vec::new(),
        }
    }

    /// Unpacks all entries.
    ///
    /// # Errors
    ///
    /// The first error of an entry that is refused, or of the file system.
    pub(crate) fn fill<R: Read>(mut self, entries: Entries<'_, R>) -> Result<Unpacked, LayerFault> {
        self.unpacked.entries = entries.each(|entry, content| {
            let path = entry.path.relative();
            self.take(entry, content).map_err(|stop| stop.explain(path.as_os_str()))
        })?;
        for (path, times) in self.times {
            // If it was replaced since, another entry set its time.
            let directory = openat2(&self.root, path.relative().as_os_str(), DIRECTORY);
            if let Ok(directory) = directory {
                let _ = fs::futimens(directory, &times);
            }
        }
        Ok(self.unpacked)
    }

    fn take(&mut self, entry: Entry, content: &mut dyn Read) -> Result<(), Stop> {
        match entry.path.clone().meaning()? {
            Meaning::Nothing => self.unpacked.left_out += 1,
            Meaning::Opaque(directory) => self.hide(&directory)?,
            Meaning::Whiteout(path) => self.whiteout(&path)?,
            Meaning::Itself(_) if entry.kind == Kind::Device => self.unpacked.left_out += 1,
            Meaning::Itself(path) => match path.split() {
                None => self.settle_root(&entry)?,
                Some((directory, name)) => {
                    let parent = self.directory(&directory)?;
                    self.put(parent.as_fd(), name, &entry, content)?;
                }
            },
        }
        Ok(())
    }

    /// Puts an entry in place, and replaces what the layer has there so far.
    fn put(&mut self, parent: BorrowedFd<'_>, name: &OsStr, entry: &Entry, content: &mut dyn Read) -> Result<(), Stop> {
        if entry.kind == Kind::Directory {
            let directory = ensure_directory(parent, name, true)?;
            settle(directory.as_fd(), entry)?;
            self.times.push((entry.path.clone(), times(entry)));
            return Ok(());
        }
        // The target is opened first, because removing the old entry may remove it.
        let target = match &entry.kind {
            Kind::Link(target) => Some(self.link_target(target)?),
            _ => None,
        };
        // Missing directories of a path are created, so that a tree may be as deep as two paths.
        remove(parent, name, self.depth.saturating_mul(2))?;
        match &entry.kind {
            Kind::File { size } => {
                let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = fs::openat(parent, name, create, Mode::RUSR | Mode::WUSR)?;
                let mut file = std::fs::File::from(file);
                let written = copy(content, &mut file)?;
                if written != *size {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                self.unpacked.bytes = self.unpacked.bytes.saturating_add(written);
                settle(file.as_fd(), entry)?;
                fs::futimens(&file, &times(entry))?;
            }
            Kind::Symlink(text) => {
                fs::symlinkat(OsStr::from_bytes(text), parent, name)?;
                own(parent, name, entry)?;
            }
            Kind::Link(_) => {
                if let Some((directory, of)) = target {
                    let linked = fs::linkat(directory, of.as_os_str(), parent, name, AtFlags::empty());
                    linked.map_err(|errno| match errno {
                        Errno::NOENT => Stop::Refused("is a link to itself, or to a file in its place"),
                        errno => Stop::Errno(errno),
                    })?;
                }
            }
            Kind::Pipe => {
                fs::mknodat(parent, name, FileType::Fifo, Mode::empty(), 0)?;
                own(parent, name, entry)?;
                // A pipe that was just created cannot lead elsewhere.
                fs::chmodat(parent, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
            }
            Kind::Directory | Kind::Device => {}
        }
        Ok(())
    }

    /// The directory and the name of a hard link's target.
    fn link_target(&self, path: &EntryPath) -> Result<(OwnedFd, std::ffi::OsString), Stop> {
        let (directory, name) = path.split().ok_or(Stop::Refused("is a link to the root"))?;
        let missing = || Stop::Refused("is a link to a file that the layer does not have");
        let parent = self.open(&directory).map_err(|_| missing())?;
        let target = stat(parent.as_fd(), name)?.ok_or_else(missing)?;
        match FileType::from_raw_mode(target.st_mode) {
            FileType::RegularFile | FileType::Symlink | FileType::Fifo => Ok((parent, name.to_owned())),
            _ => Err(Stop::Refused("is a link to something that is no file")),
        }
    }

    /// Records that a path is deleted from the layers below.
    fn whiteout(&mut self, path: &EntryPath) -> Result<(), Stop> {
        let Some((directory, name)) = path.split() else {
            return Ok(());
        };
        let parent = self.directory(&directory)?;
        match stat(parent.as_fd(), name)? {
            None => make_whiteout(parent.as_fd(), name),
            // If this layer itself has the name, that stays, without the content of the layers below.
            Some(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => {
                let directory = fs::openat(&parent, name, DIRECTORY, Mode::empty())?;
                make_opaque(directory.as_fd())
            }
            Some(_) => Ok(()),
        }
    }

    /// Records that a directory hides the layers below.
    fn hide(&mut self, directory: &EntryPath) -> Result<(), Stop> {
        if directory.split().is_none() {
            self.unpacked.is_opaque = true;
            return Ok(());
        }
        make_opaque(self.directory(directory)?.as_fd())
    }

    fn settle_root(&mut self, entry: &Entry) -> Result<(), Stop> {
        if entry.kind != Kind::Directory {
            return Err(Stop::Refused("is the root of the layer, and no directory"));
        }
        self.times.push((entry.path.clone(), times(entry)));
        settle(self.root.as_fd(), entry)
    }

    /// Opens a directory of the layer, and creates missing ones on the way.
    fn directory(&self, path: &EntryPath) -> Result<OwnedFd, Stop> {
        match self.open(path) {
            Err(Stop::Errno(Errno::NOENT | Errno::NOTDIR)) => {}
            opened => return opened,
        }
        let Some((above, name)) = path.split() else {
            return Ok(self.root.try_clone()?);
        };
        let parent = self.directory(&above)?;
        ensure_directory(parent.as_fd(), name, false)
    }

    /// Opens a directory of the layer, which must exist.
    fn open(&self, path: &EntryPath) -> Result<OwnedFd, Stop> {
        if path.split().is_none() {
            return Ok(self.root.try_clone()?);
        }
        // Links on the way are resolved inside the layer, as in a container.
        let opened = openat2(
            &self.root,
            path.relative().as_os_str(),
            DIRECTORY.difference(OFlags::NOFOLLOW),
        )?;
        self.check_depth(opened.as_fd())?;
        Ok(opened)
    }

    /// Limits the depth of a directory: through links, each entry could lead deeper, until the tree could not be
    /// walked.
    fn check_depth(&self, directory: BorrowedFd<'_>) -> Result<(), Stop> {
        let place = |fd: BorrowedFd<'_>| {
            let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
            let place = fs::readlinkat(CWD, path, Vec::new())?;
            Ok::<_, Errno>(place.as_bytes().iter().filter(|byte| **byte == b'/').count())
        };
        let below = place(directory)?.saturating_sub(place(self.root.as_fd())?);
        match below > self.depth {
            true => Err(Stop::Refused("is too deep")),
            false => Ok(()),
        }
    }
}

/// The reason why an entry is not unpacked. [`explain`](Self::explain) adds the entry's name.
enum Stop {
    Errno(Errno),
    Io(io::Error),
    Refused(&'static str),
    Fault(LayerFault),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LayerFault> for Stop {
    fn from(fault: LayerFault) -> Self {
        Self::Fault(fault)
    }
}

impl Stop {
    fn explain(self, path: &OsStr) -> LayerFault {
        let refused = |reason: &str| LayerFault::entry(path.as_bytes(), reason);
        match self {
            Self::Refused(reason) => refused(reason),
            Self::Errno(Errno::LOOP) => refused("goes through a link that leads in a circle"),
            Self::Errno(Errno::NAMETOOLONG) => refused("has a name that is too long"),
            Self::Errno(errno) => LayerFault::Disk {
                verb: "write",
                path: path.to_string_lossy().into_owned(),
                source: errno.into(),
            },
            Self::Io(error) => LayerFault::Unreadable(error),
            Self::Fault(fault) => fault,
        }
    }
}

/// Copies content into a file. Errors of the archive and of the disk are distinguished.
fn copy(content: &mut dyn Read, file: &mut std::fs::File) -> Result<u64, Stop> {
    let (mut buffer, mut written) = (vec![0; 64 << 10], 0_u64);
    loop {
        let read = match content.read(&mut buffer) {
            Ok(0) => return Ok(written),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Io(error)),
        };
        let piece = buffer.get(..read).unwrap_or_default();
        let outcome = io::Write::write_all(file, piece);
        outcome.map_err(|error| match Errno::from_io_error(&error) {
            Some(errno) => Stop::Errno(errno),
            None => Stop::Io(error),
        })?;
        written = written.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

fn openat2(root: &OwnedFd, path: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    if path.is_empty() {
        return fs::openat(root, ".", flags, Mode::empty());
    }
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    loop {
        match fs::openat2(root, path, flags, Mode::empty(), inside) {
            // The kernel asks to try again if something was renamed on the machine meanwhile.
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
}

fn stat(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Stat>, Errno> {
    match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn is_whiteout(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice && found.st_rdev == 0
}

fn make_whiteout(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Stop> {
    Ok(fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), 0)?)
}

fn make_opaque(directory: BorrowedFd<'_>) -> Result<(), Stop> {
    Ok(fs::fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty())?)
}

/// Opens the directory with this name, and creates it if it is missing. Anything else with that name is replaced, or
/// refused. A name that was deleted from the layers below starts empty.
fn ensure_directory(parent: BorrowedFd<'_>, name: &OsStr, replaces: bool) -> Result<OwnedFd, Stop> {
    let found = stat(parent, name)?;
    let hides = found.as_ref().is_some_and(is_whiteout);
    match found {
        Some(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => {
            return Ok(fs::openat(parent, name, DIRECTORY, Mode::empty())?);
        }
        Some(_) if !hides && !replaces => return Err(Stop::Refused("is below something that is no directory")),
        Some(_) => fs::unlinkat(parent, name, AtFlags::empty())?,
        None => {}
    }
    fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    let directory = fs::openat(parent, name, DIRECTORY, Mode::empty())?;
    // The mode of a directory without an entry must not depend on the process.
    fs::fchmod(&directory, Mode::from_raw_mode(0o755))?;
    if hides {
        make_opaque(directory.as_fd())?;
    }
    Ok(directory)
}

/// Removes the entry with this name, with everything in it.
fn remove(parent: BorrowedFd<'_>, name: &OsStr, depth: usize) -> Result<(), Stop> {
    match fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let left = depth.checked_sub(1).ok_or(Stop::Refused("is too deep"))?;
    let directory = fs::openat(parent, name, DIRECTORY, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&directory)? {
        names.push(entry?.file_name().to_owned());
    }
    for inner in names.iter().map(|name| name.to_bytes()) {
        if !matches!(inner, b"." | b"..") {
            remove(directory.as_fd(), OsStr::from_bytes(inner), left)?;
        }
    }
    Ok(fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// Sets owner, mode and attributes of a file or directory. A change of the owner clears other bits, so it comes first.
fn settle(file: BorrowedFd<'_>, entry: &Entry) -> Result<(), Stop> {
    let (uid, gid) = owner(entry);
    fs::fchown(file, uid, gid)?;
    fs::fchmod(file, Mode::from_raw_mode(entry.mode))?;
    for (name, value) in &entry.attributes {
        match fs::fsetxattr(file, name.as_slice(), value, XattrFlags::empty()) {
            // Some file systems do not support attributes of users.
            Err(Errno::OPNOTSUPP) if name.starts_with(b"user.") => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Sets owner and time of an entry that cannot be opened.
fn own(parent: BorrowedFd<'_>, name: &OsStr, entry: &Entry) -> Result<(), Stop> {
    let (uid, gid) = owner(entry);
    fs::chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(fs::utimensat(parent, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
}

fn times(entry: &Entry) -> Timestamps {
    let (seconds, nanoseconds) = entry.mtime;
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
