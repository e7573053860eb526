//! Files of a container as an archive.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use tar::{Builder, EntryType, Header};

use super::Root;

/// Directories in one another; the file system of a container may be as deep as it likes.
const DEEPEST: usize = 256;

/// Writes what is at a path inside as a tar archive, whose entries begin with the last part of the path.
///
/// Links are packed as links, also the one that the path ends in. Sockets are left out.
///
/// # Errors
///
/// [`io::ErrorKind::NotFound`] before the first byte when there is nothing at the path.
pub(crate) fn pack(root: &Root, path: &Path, output: impl Write) -> io::Result<()> {
    let found = root.resolve(path, OFlags::PATH | OFlags::NOFOLLOW)?;
    // Made after it was found: a builder that is dropped ends its archive.
    let mut archive = Builder::new(output);
    match path.file_name() {
        Some(name) => {
            let parent = root.directory(path.parent().unwrap_or(Path::new("/")))?;
            let stat = rustix::fs::fstat(&found)?;
            append(&mut archive, &parent, name.as_ref(), Path::new(name), &stat, 0)?;
        }
        None => append_entries(&mut archive, root.directory(path)?.as_fd(), Path::new("."), 0)?,
    }
    archive.into_inner()?.flush()
}

fn append<W: Write>(
    archive: &mut Builder<W>,
    directory: &OwnedFd,
    name: &Path,
    as_name: &Path,
    stat: &Stat,
    depth: usize,
) -> io::Result<()> {
    let mut header = header(stat);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let mut file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
            if !file.metadata()?.is_file() {
                return Ok(());
            }
            header.set_entry_type(EntryType::Regular);
            header.set_size(file.metadata()?.len());
            let size = file.metadata()?.len();
            archive.append_data(
                &mut header,
                as_name,
                Exactly {
                    file: &mut file,
                    left: size,
                },
            )
        }
        FileType::Directory => {
            header.set_entry_type(EntryType::Directory);
            archive.append_data(&mut header, as_name, io::empty())?;
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let inner = rustix::fs::openat(directory, name, flags, Mode::empty())?;
            append_entries(archive, inner.as_fd(), as_name, depth + 1)
        }
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(directory, name, Vec::new())?.into_bytes();
            header.set_entry_type(EntryType::Symlink);
            archive.append_link(
                &mut header,
                as_name,
                PathBuf::from(std::ffi::OsString::from_vec(target)),
            )
        }
        kind @ (FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice) => {
            header.set_entry_type(match kind {
                FileType::Fifo => EntryType::Fifo,
                FileType::CharacterDevice => EntryType::Char,
                _ => EntryType::Block,
            });
            header.set_device_major(rustix::fs::major(stat.st_rdev))?;
            header.set_device_minor(rustix::fs::minor(stat.st_rdev))?;
            archive.append_data(&mut header, as_name, io::empty())
        }
        _ => Ok(()),
    }
}

fn append_entries<W: Write>(
    archive: &mut Builder<W>,
    directory: impl AsFd,
    as_name: &Path,
    depth: usize,
) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other(format!(
            "{} has more than {DEEPEST} directories in one another",
            as_name.display()
        )));
    }
    // Opened anew for reading: the handle may be one for paths only.
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(&directory, ".", flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(PathBuf::from(std::ffi::OsString::from_vec(name)));
        }
    }
    names.sort();
    for name in names {
        // What is gone meanwhile is left out.
        let Ok(stat) = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        append(archive, &directory, &name, &as_name.join(&name), &stat, depth)?;
    }
    Ok(())
}

fn header(stat: &Stat) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or_default());
    header.set_size(0);
    header
}

/// Exactly as many bytes as the header claims: a file may grow or shrink while it is read.
struct Exactly<'a> {
    file: &'a mut File,
    left: u64,
}

impl io::Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let length = match self.file.read(&mut buffer[..most])? {
            0 => {
                buffer[..most].fill(0);
                most
            }
            length => length,
        };
        self.left -= length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::super::tests::Place;
    use super::*;

    fn packed(place: &Place, path: &str) -> io::Result<BTreeMap<String, String>> {
        let mut bytes = Vec::new();
        pack(&place.root(), Path::new(path), &mut bytes)?;
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut all = BTreeMap::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = String::from_utf8_lossy(entry.path()?.as_os_str().as_bytes()).into_owned();
            let mut text = String::new();
            match entry.link_name()? {
                Some(link) => text = format!("-> {}", link.display()),
                None => drop(entry.read_to_string(&mut text)?),
            }
            all.insert(name, text);
        }
        Ok(all)
    }

    #[test]
    fn names_begin_with_the_last_part_and_links_stay_links() {
        let place = Place::new("packed");
        fs::create_dir_all(place.0.join("root/etc/app/deep")).unwrap();
        fs::write(place.0.join("root/etc/app/deep/file"), "text").unwrap();
        symlink("/outside", place.0.join("root/etc/app/link")).unwrap();
        let expected = [
            ("app", ""),
            ("app/deep", ""),
            ("app/deep/file", "text"),
            ("app/link", "-> /outside"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let trim = |all: BTreeMap<String, String>| -> BTreeMap<String, String> {
            all.into_iter()
                .map(|(name, text)| (name.trim_end_matches('/').to_owned(), text))
                .collect()
        };
        assert_eq!(trim(packed(&place, "/etc/app").unwrap()), expected.into());
        assert_eq!(
            packed(&place, "/etc/app/deep/file").unwrap(),
            [("file".to_owned(), "text".to_owned())].into()
        );
        assert_eq!(packed(&place, "/etc/none").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(
            packed(&place, "/")
                .unwrap()
                .keys()
                .any(|name| name.ends_with("etc/app/deep/file"))
        );
    }
}
