//! Reads files safely at paths where somebody else may have put another kind of file.
//!
//! A FIFO makes its reader wait for a writer, a device may be endless, and a symbolic link may lead anywhere. So only
//! regular files are read, opening never waits, and reading stops at a limit.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// The treatment of a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symlinks {
    /// Open the file that it leads to, because the operator may have made the link.
    Follow,
    /// Refuse it, in directories where others may write.
    Refuse,
}

/// Checks that a path has a regular file, for a library that opens it itself.
///
/// # Errors
///
/// Those of the system; [`ErrorKind::InvalidInput`] if it is not a regular file.
pub fn check(path: &Path, symlinks: Symlinks) -> io::Result<()> {
    let found = match symlinks {
        Symlinks::Follow => fs::metadata(path),
        Symlinks::Refuse => fs::symlink_metadata(path),
    };
    check_regular(&found?)
}

/// Opens a regular file with these options, without waiting.
///
/// A missing file is created if the options say so.
///
/// # Errors
///
/// Those of the system; [`ErrorKind::InvalidInput`] if it is not a regular file. Such a file is not even opened,
/// because opening some devices has effects.
pub fn open_regular(options: &OpenOptions, path: &Path, symlinks: Symlinks) -> io::Result<File> {
    let flags = match symlinks {
        Symlinks::Follow => OFlag::O_NONBLOCK,
        Symlinks::Refuse => OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW,
    };
    match check(path, symlinks) {
        // The options decide whether it is created.
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = options.clone().custom_flags(flags.bits()).open(path)?;
    // The file may have been replaced since it was checked.
    check_regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a whole regular file of at most `most` bytes.
///
/// # Errors
///
/// Those of [`open_regular`], and [`ErrorKind::FileTooLarge`].
pub fn read(path: &Path, symlinks: Symlinks, most: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(OpenOptions::new().read(true), path, symlinks)?;
    let mut bytes = Vec::new();
    // One byte more than the limit, so that a larger file is detected.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let text = format!("it has more than {most} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// Like [`read`], for text.
///
/// # Errors
///
/// Those of [`read`]; [`ErrorKind::InvalidData`] if it is not UTF-8.
pub fn read_text(path: &Path, symlinks: Symlinks, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, symlinks, most)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not text in UTF-8"))
}

fn check_regular(found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let text = format!("it is {}, and no regular file", kind(found.file_type()));
    Err(io::Error::new(ErrorKind::InvalidInput, text))
}

fn kind(found: FileType) -> &'static str {
    if found.is_fifo() {
        "a FIFO"
    } else if found.is_socket() {
        "a socket"
    } else if found.is_dir() {
        "a directory"
    } else if found.is_symlink() {
        "a symbolic link"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    /// A directory that is removed when this is dropped.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("orchestrator-files-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn only_regular_files_within_the_bound_are_read() {
        let scratch = Scratch::new("kinds");
        let named = |name: &str| scratch.0.join(name);
        fs::write(named("file"), "12345").unwrap();
        symlink(named("file"), named("link")).unwrap();
        symlink("/dev/zero", named("link-to-device")).unwrap();
        symlink(named("nothing"), named("dangling")).unwrap();
        mkfifo(&named("fifo"), Mode::S_IRWXU).unwrap();
        drop(UnixListener::bind(named("socket")).unwrap());
        for (name, symlinks, outcome) in [
            ("file", Symlinks::Refuse, Ok("12345")),
            ("link", Symlinks::Follow, Ok("12345")),
            (
                "link",
                Symlinks::Refuse,
                Err("it is a symbolic link, and no regular file"),
            ),
            (
                "link-to-device",
                Symlinks::Follow,
                Err("it is a device, and no regular file"),
            ),
            ("fifo", Symlinks::Follow, Err("it is a FIFO, and no regular file")),
            ("fifo", Symlinks::Refuse, Err("it is a FIFO, and no regular file")),
            ("socket", Symlinks::Follow, Err("it is a socket, and no regular file")),
            ("", Symlinks::Refuse, Err("it is a directory, and no regular file")),
            (
                "dangling",
                Symlinks::Follow,
                Err("No such file or directory (os error 2)"),
            ),
        ] {
            let read = read_text(&named(name), symlinks, 5).map_err(|error| error.to_string());
            assert_eq!(read, outcome.map(str::to_owned).map_err(str::to_owned), "{name}");
        }
        let error = read(&named("file"), Symlinks::Refuse, 4).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 4 bytes");
        fs::write(named("file"), [0xff]).unwrap();
        let error = read_text(&named("file"), Symlinks::Refuse, 4).unwrap_err();
        assert_eq!(error.to_string(), "it is not text in UTF-8");
    }

    #[test]
    fn a_missing_file_is_made_where_that_is_wanted() {
        let scratch = Scratch::new("made");
        let path = scratch.0.join("new");
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let error = open_regular(&options, &path, Symlinks::Refuse).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        open_regular(options.create(true), &path, Symlinks::Refuse).unwrap();
        assert!(path.is_file());
    }
}
