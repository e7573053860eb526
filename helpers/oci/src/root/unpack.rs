//! An archive into a directory of a container.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

use super::{Attributes, Root, create, remove, set_attributes};

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// There is no such directory.
    #[error("there is no directory {0} in the container")]
    NoDirectory(String),
    /// The archive holds something that is never unpacked.
    #[error("the archive's entry {name:?} {reason}")]
    Refused {
        /// The entry's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Unpacks a tar archive into a directory inside.
///
/// Links in the container are followed within the container. A file takes the place of what has its name, unless that is
/// a directory. Entries that lead out by `..` and devices are refused, and what came before them stays.
pub(crate) fn unpack(root: &Root, directory: &Path, input: impl Read) -> Result<(), UnpackError> {
    root.directory(directory)
        .map_err(|_| UnpackError::NoDirectory(directory.display().to_string()))?;
    let mut archive = Archive::new(input);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let path = within(directory, &name).ok_or_else(|| refused(&name, "leads out of the directory"))?;
        put(root, directory, &path, &name, &mut entry)?;
    }
    Ok(())
}

fn put<R: Read>(
    root: &Root,
    directory: &Path,
    path: &Path,
    name: &Path,
    entry: &mut Entry<'_, R>,
) -> Result<(), UnpackError> {
    let attributes = attributes(entry)?;
    let kind = entry.header().entry_type();
    if path == directory {
        return Ok(());
    }
    let last = PathBuf::from(path.file_name().ok_or_else(|| refused(name, "has no name"))?);
    let parent = root.make_directory(path.parent().unwrap_or(Path::new("/")))?;
    match kind {
        EntryType::Directory => {
            match rustix::fs::mkdirat(&parent, &last, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let made = rustix::fs::openat(&parent, &last, flags, Mode::empty()).map_err(io::Error::from)?;
            set_attributes(made, attributes)?;
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let mut file = create(&parent, &last)?;
            io::copy(entry, &mut file)?;
            set_attributes(&file, attributes)?;
        }
        EntryType::Symlink => {
            let target = entry
                .link_name()?
                .ok_or_else(|| refused(name, "is a link to nothing"))?
                .into_owned();
            remove(&parent, &last)?;
            rustix::fs::symlinkat(&target, &parent, &last).map_err(io::Error::from)?;
            let owner = (Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)));
            rustix::fs::chownat(&parent, &last, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(io::Error::from)?;
        }
        EntryType::Link => link(root, directory, &parent, &last, name, entry)?,
        EntryType::Fifo => {
            remove(&parent, &last)?;
            let mode = Mode::from_raw_mode(attributes.mode & 0o777);
            rustix::fs::mknodat(&parent, &last, FileType::Fifo, mode, 0).map_err(io::Error::from)?;
        }
        EntryType::XGlobalHeader => {}
        EntryType::Char | EntryType::Block => return Err(refused(name, "is a device")),
        _ => return Err(refused(name, "is of a kind that is not known")),
    }
    Ok(())
}

/// Another name for a file that the archive put there before.
fn link<R: Read>(
    root: &Root,
    directory: &Path,
    parent: impl std::os::fd::AsFd,
    last: &Path,
    name: &Path,
    entry: &Entry<'_, R>,
) -> Result<(), UnpackError> {
    let target = entry
        .link_name()?
        .ok_or_else(|| refused(name, "is a link to nothing"))?
        .into_owned();
    let target = within(directory, &target).ok_or_else(|| refused(name, "is a link out of the directory"))?;
    let target_name = target
        .file_name()
        .ok_or_else(|| refused(name, "is a link to nothing"))?;
    let above = root.directory(target.parent().unwrap_or(Path::new("/")))?;
    remove(&parent, last)?;
    rustix::fs::linkat(&above, target_name, &parent, last, AtFlags::empty()).map_err(io::Error::from)?;
    Ok(())
}

fn attributes<R: Read>(entry: &Entry<'_, R>) -> io::Result<Attributes> {
    let number = |wide: u64| u32::try_from(wide).map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    Ok(Attributes {
        mode: entry.header().mode()?,
        uid: number(entry.header().uid()?)?,
        gid: number(entry.header().gid()?)?,
    })
}

/// The path of an entry, when it is in the directory by its name alone.
fn within(directory: &Path, name: &Path) -> Option<PathBuf> {
    let mut path = directory.to_owned();
    for component in name.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

fn refused(name: &Path, reason: &'static str) -> UnpackError {
    UnpackError::Refused {
        name: name.display().to_string(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tar::{Builder, Header};

    use super::super::tests::Place;
    use super::*;

    struct Item<'a>(EntryType, &'a str, &'a str);

    /// An archive whose names are written as they are, also those that no honest program writes.
    fn archive(items: &[Item<'_>]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for Item(kind, name, content) in items {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_uid(rustix::process::geteuid().as_raw().into());
            header.set_gid(rustix::process::getegid().as_raw().into());
            let is_link = matches!(kind, EntryType::Link | EntryType::Symlink);
            header.set_size(if is_link { 0 } else { content.len() as u64 });
            let old = header.as_old_mut();
            old.name[..name.len()].copy_from_slice(name.as_bytes());
            if is_link {
                old.linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_cksum();
            let data = if is_link { "" } else { content };
            builder.append(&header, data.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn put_in(place: &Place, directory: &str, items: &[Item<'_>]) -> Result<(), UnpackError> {
        unpack(&place.root(), Path::new(directory), archive(items).as_slice())
    }

    #[test]
    fn hostile_archives_write_nothing_outside() {
        let place = Place::new("hostile");
        let outside = place.0.join("outside");
        symlink(&outside, place.0.join("root/etc/escape")).unwrap();
        let hostile: [&[Item<'_>]; 5] = [
            &[Item(EntryType::Regular, "../../outside/a", "x")],
            &[
                Item(EntryType::Symlink, "up", "../../outside"),
                Item(EntryType::Regular, "up/a", "x"),
            ],
            &[Item(EntryType::Regular, "escape/a", "x")],
            &[Item(EntryType::Link, "hard", "../../outside/secret")],
            &[Item(EntryType::Char, "zero", "")],
        ];
        for items in hostile {
            put_in(&place, "/etc", items).unwrap_err();
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        put_in(&place, "/etc", &[Item(EntryType::Regular, "/etc/absolute", "x")]).unwrap();
        assert!(
            place.0.join("root/etc/etc/absolute").exists(),
            "an absolute name is relative to the directory"
        );
    }

    #[test]
    fn files_links_and_directories_are_put_in_place() {
        let place = Place::new("unpacked");
        fs::write(place.0.join("root/etc/old"), "old").unwrap();
        let items = [
            Item(EntryType::Directory, "app", ""),
            Item(EntryType::Regular, "app/file", "text"),
            Item(EntryType::Link, "app/hard", "app/file"),
            Item(EntryType::Symlink, "app/soft", "file"),
            Item(EntryType::Regular, "old", "new"),
        ];
        put_in(&place, "/etc", &items).unwrap();
        let read = |name: &str| fs::read_to_string(place.0.join("root/etc").join(name)).unwrap();
        assert_eq!(
            (
                read("app/hard").as_str(),
                read("app/soft").as_str(),
                read("old").as_str()
            ),
            ("text", "text", "new")
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let place = Place::new("nowhere");
        let fault = put_in(&place, "/no/such", &[]).unwrap_err();
        assert_eq!(fault.to_string(), "there is no directory /no/such in the container");
    }
}
