//! Converts a header of the archive, with its extensions, into an entry. Pure.

use tar::{EntryType, Header};

use super::LayerFault;
use super::path::EntryPath;
use super::pax::Extensions;

/// The mode bits that a file may have: its permissions, and set-user, set-group and sticky.
const MODE: u32 = 0o7777;
/// The largest user or group id: the one above means "do not change".
const LARGEST_ID: u64 = (u32::MAX - 1) as u64;

/// One entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: EntryPath,
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Modification time: seconds since 1970, and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// The extended attributes to keep.
    pub(crate) attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File {
        size: u64,
    },
    /// A symbolic link with this text. The text may be anything: it is resolved only inside a container.
    Symlink(Vec<u8>),
    /// A hard link to the file that the layer has at this path.
    Link(EntryPath),
    Pipe,
    /// A device. It is left out: a container has only the devices that its template names.
    Device,
}

impl Entry {
    /// Parses the entry of a header with its extensions.
    ///
    /// # Errors
    ///
    /// The reason, if it must not be unpacked.
    pub(crate) fn read(header: &Header, extensions: Extensions, depth: usize) -> Result<Self, LayerFault> {
        let bytes = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let fault = |reason: &str| LayerFault::entry(&bytes, reason);
        let number = |read: std::io::Result<u64>| read.map_err(|_| fault("has a header that cannot be read"));
        if extensions.is_sparse || header.entry_type().is_gnu_sparse() {
            return Err(fault("has holes, which a layer never has"));
        }
        let size = number(header.entry_size())?;
        if extensions.size.is_some_and(|other| other != size) {
            return Err(fault("has two sizes, or is larger than 8 GiB"));
        }
        let id = |read: std::io::Result<u64>, extended: Option<u64>| {
            let id = extended.map_or_else(|| number(read), Ok)?;
            let id = u32::try_from(id).ok().filter(|_| id <= LARGEST_ID);
            id.ok_or_else(|| fault("belongs to a user or group that cannot be"))
        };
        let link = match extensions.link {
            Some(link) => Some(link),
            None => header.link_name_bytes().map(|link| link.into_owned()),
        };
        Ok(Self {
            path: EntryPath::read(&bytes, depth)?,
            kind: kind(header.entry_type(), size, link, depth, &bytes)?,
            mode: header.mode().map_err(|_| fault("has a header that cannot be read"))? & MODE,
            uid: id(header.uid(), extensions.uid)?,
            gid: id(header.gid(), extensions.gid)?,
            mtime: match extensions.mtime {
                Some(mtime) => mtime,
                None => (i64::try_from(number(header.mtime())?).unwrap_or_default(), 0),
            },
            attributes: extensions
                .attributes
                .into_iter()
                .filter(|(name, _)| is_kept(name))
                .collect(),
        })
    }
}

fn kind(of: EntryType, size: u64, link: Option<Vec<u8>>, depth: usize, path: &[u8]) -> Result<Kind, LayerFault> {
    let link = || link.filter(|link| !link.is_empty() && !link.contains(&0) && link.len() < 4096);
    let no_link = || LayerFault::entry(path, "is a link to nothing");
    match of {
        // An old archive marks a directory by its name alone.
        EntryType::Regular if path.ends_with(b"/") => Ok(Kind::Directory),
        EntryType::Regular | EntryType::Continuous => Ok(Kind::File { size }),
        EntryType::Directory => Ok(Kind::Directory),
        EntryType::Symlink => link().map(Kind::Symlink).ok_or_else(no_link),
        EntryType::Link => Ok(Kind::Link(EntryPath::read(&link().ok_or_else(no_link)?, depth)?)),
        EntryType::Fifo => Ok(Kind::Pipe),
        EntryType::Char | EntryType::Block => Ok(Kind::Device),
        _ => Err(LayerFault::entry(path, "is of a kind that a layer never has")),
    }
}

/// Whether an extended attribute is kept: capabilities of a program, and attributes of users. Attributes of overlayfs
/// itself are dropped, because a layer could change the content of another with them.
fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: EntryType, path: &str) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path(path).unwrap();
        header.set_size(0);
        header.set_mode(0o104_755);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(9);
        header
    }

    fn refused(extensions: Extensions) -> String {
        let fault = Entry::read(&header(EntryType::Regular, "a"), extensions, 4).unwrap_err();
        fault.to_string()
    }

    #[test]
    fn a_header_is_an_entry() {
        let entry = Entry::read(&header(EntryType::Regular, "a/b"), Extensions::default(), 4).unwrap();
        assert_eq!(entry.path.names(), ["a", "b"]);
        assert_eq!(entry.kind, Kind::File { size: 0 });
        assert_eq!((entry.mode, entry.uid, entry.gid, entry.mtime), (0o4755, 7, 8, (9, 0)));
        for device in [EntryType::Char, EntryType::Block] {
            let entry = Entry::read(&header(device, "a"), Extensions::default(), 4).unwrap();
            assert_eq!(entry.kind, Kind::Device);
        }
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        let size = Extensions {
            size: Some(512),
            ..Extensions::default()
        };
        assert!(refused(size).contains("two sizes"));
        let sparse = Extensions {
            is_sparse: true,
            ..Extensions::default()
        };
        assert!(refused(sparse).contains("holes"));
        let nobody = Extensions {
            uid: Some(u64::from(u32::MAX)),
            ..Extensions::default()
        };
        assert!(refused(nobody).contains("user or group"));
        let up = Extensions {
            path: Some(b"../up".to_vec()),
            ..Extensions::default()
        };
        assert!(refused(up).contains("leads out"));
    }

    #[test]
    fn attributes_of_the_overlay_are_not_kept() {
        let names = [
            "security.capability",
            "user.note",
            "user.overlay.opaque",
            "trusted.overlay.redirect",
            "security.ima",
        ];
        let extensions = Extensions {
            attributes: names.map(|name| (name.as_bytes().to_owned(), b"y".to_vec())).to_vec(),
            ..Extensions::default()
        };
        let entry = Entry::read(&header(EntryType::Regular, "a"), extensions, 4).unwrap();
        let kept: Vec<_> = entry.attributes.iter().map(|(name, _)| name.as_slice()).collect();
        assert_eq!(kept, [&b"security.capability"[..], b"user.note"]);
    }
}
