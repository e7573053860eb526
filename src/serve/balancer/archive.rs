//! The files of a balancer as an archive that its container unpacks.

use std::io;

use orchestrator_balancer::Files;
use tar::{Builder, EntryType, Header};

/// The user `balancer` of the image.
const OWNER: u64 = 1000;

/// All files, readable by the image's user alone: there are keys among them.
pub(super) fn archive(files: &Files) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    archive.append_data(
        &mut header(EntryType::Directory, 0o700, 0),
        "certificates/",
        io::empty(),
    )?;
    for (name, content) in files.contents() {
        let size = u64::try_from(content.len()).map_err(io::Error::other)?;
        archive.append_data(&mut header(EntryType::Regular, 0o600, size), name, content.as_slice())?;
    }
    archive.into_inner()
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(OWNER);
    header.set_gid(OWNER);
    header.set_size(size);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_it_and_is_the_users_alone() {
        let contents = [
            ("haproxy.cfg".to_owned(), b"global\n".to_vec()),
            ("certificates/a.pem".to_owned(), b"key".to_vec()),
        ];
        let files = Files::new(contents.into(), String::new());
        let bytes = archive(&files).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let found: Vec<(String, u32, u64)> = entries
            .map(|entry| {
                let header = entry.header();
                let name = entry.path().unwrap().to_string_lossy().into_owned();
                (name, header.mode().unwrap(), header.uid().unwrap())
            })
            .collect();
        let of = |name: &str, mode| (name.to_owned(), mode, 1000);
        assert_eq!(
            found,
            [
                of("certificates/", 0o700),
                of("certificates/a.pem", 0o600),
                of("haproxy.cfg", 0o600)
            ]
        );
    }
}
