//! Files → a tar archive that the engine unpacks into a container. Pure.
//!
//! Written by hand: POSIX ustar, one header of 512 bytes for each file, no directories (the engine makes those).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use orchestrator_plugin::File;

/// The unit in which an archive is written.
const BLOCK: usize = 512;

/// The longest name and the longest directory that a header has room for.
const NAME: usize = 100;
const PREFIX: usize = 155;

/// The largest file, in bytes: eleven octal digits.
const LARGEST: usize = 0o77_777_777_777;

/// The archive of these files, to be unpacked at the root.
///
/// # Errors
///
/// Which file cannot be written, and why.
pub(crate) fn archive(files: &[File]) -> Result<Vec<u8>, String> {
    let mut archive = Vec::new();
    for file in files {
        let fault = |reason: &str| format!("file {}: {reason}", file.target.display());
        let content = file.content.bytes().ok_or_else(|| fault("its source was not read"))?;
        if content.len() > LARGEST {
            return Err(fault("it is larger than 8 GiB"));
        }
        let (prefix, name) =
            split(&file.target).ok_or_else(|| fault("write an absolute path without .. of at most 255 bytes"))?;
        archive.extend_from_slice(&header(file, content.len(), prefix, name));
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    // Two empty blocks are the end.
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Ok(archive)
}

/// The path in two, as a header holds it: a directory, and the rest.
fn split(path: &Path) -> Option<(&[u8], &[u8])> {
    let is_plain = path.is_absolute() && path.components().all(|part| part.as_os_str() != "..");
    let path = path.as_os_str().as_bytes().strip_prefix(b"/").filter(|_| is_plain)?;
    if path.is_empty() || path.ends_with(b"/") || path.contains(&0) {
        return None;
    }
    if path.len() <= NAME {
        return Some((b"", path));
    }
    let slash = (1..path.len()).find(|at| path[*at] == b'/' && path.len() - at - 1 <= NAME)?;
    (slash <= PREFIX).then(|| (&path[..slash], &path[slash + 1..]))
}

fn header(file: &File, length: usize, prefix: &[u8], name: &[u8]) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, format!("{:07o}", file.mode & 0o7777).as_bytes());
    put(108, format!("{:07o}", file.uid & 0o7_777_777).as_bytes());
    put(116, format!("{:07o}", file.gid & 0o7_777_777).as_bytes());
    put(124, format!("{length:011o}").as_bytes());
    put(136, b"00000000000");
    // The checksum counts its own field as spaces.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix);
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use orchestrator_plugin::{FileContent, ValueSource};

    use super::*;

    fn file(target: &str) -> File {
        File {
            target: target.into(),
            content: FileContent::Text("hello".to_owned()),
            mode: 0o640,
            uid: 7,
            gid: 8,
        }
    }

    #[test]
    fn an_archive_has_a_header_and_whole_blocks() {
        let bytes = archive(&[file("/etc/motd")]).unwrap();
        assert_eq!(bytes.len(), 4 * BLOCK);
        assert_eq!(&bytes[..9], b"etc/motd\0");
        assert_eq!(&bytes[100..107], b"0000640");
        assert_eq!(&bytes[108..115], b"0000007");
        assert_eq!(&bytes[124..135], b"00000000005");
        assert_eq!(&bytes[BLOCK..BLOCK + 6], b"hello\0");
        let sum: u32 = (0..BLOCK)
            .map(|at| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(bytes[at])
                }
            })
            .sum();
        assert_eq!(&bytes[148..156], format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn a_long_path_is_split_and_one_that_is_too_long_or_leads_out_is_refused() {
        let long = format!("/{}/{}", "d".repeat(120), "f".repeat(100));
        let bytes = archive(&[file(&long)]).unwrap();
        assert_eq!((bytes[0], bytes[345]), (b'f', b'd'));
        for target in ["etc/motd", "/", "/etc/", "/etc/../x", &format!("/{}", "f".repeat(101))] {
            archive(&[file(target)]).unwrap_err();
        }
    }

    #[test]
    fn a_source_that_was_not_read_is_refused() {
        let unread = File {
            content: FileContent::From(ValueSource::File("/etc/secret".into())),
            ..file("/secret")
        };
        assert_eq!(archive(&[unread]).unwrap_err(), "file /secret: its source was not read");
    }
}
