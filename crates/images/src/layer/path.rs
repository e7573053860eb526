//! Decides where an entry of a layer is put, and what its name means. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::LayerFault;

/// The prefix of a name that deletes the name after it (OCI image specification, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";
/// The prefix of a name that another file system made for itself.
const NOTE: &[u8] = b".wh..wh.";
/// The name that hides everything below its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// The longest path and the longest name that Linux allows.
const LONGEST_PATH: usize = 4095;
const LONGEST_NAME: usize = 255;

/// A path within a layer: names without `.` and `..`. The path of the layer's root has no names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct EntryPath(Vec<OsString>);

impl EntryPath {
    /// Parses a path of an archive. A leading slash means the root of the layer.
    ///
    /// # Errors
    ///
    /// When it leads upwards, is deeper than `depth`, or is not a path.
    pub(crate) fn read(bytes: &[u8], depth: usize) -> Result<Self, LayerFault> {
        let fault = |reason: &str| Err(LayerFault::entry(bytes, reason));
        if bytes.contains(&0) || bytes.len() > LONGEST_PATH {
            return fault("has no path that can be written");
        }
        let mut names = Vec::new();
        for name in bytes.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => return fault("leads out of its directory"),
                name if name.len() > LONGEST_NAME => return fault("has a name that is too long"),
                name => names.push(OsString::from_vec(name.to_owned())),
            }
        }
        if names.len() > depth {
            return fault("is too deep");
        }
        Ok(Self(names))
    }

    /// The path relative to the root of the layer.
    pub(crate) fn relative(&self) -> PathBuf {
        self.0.iter().collect()
    }

    /// The directory and the name in it; `None` for the root.
    pub(crate) fn split(&self) -> Option<(Self, &OsStr)> {
        let (name, directory) = self.0.split_last()?;
        Some((Self(directory.to_vec()), name))
    }

    /// Its names.
    #[cfg(test)]
    pub(crate) fn names(&self) -> &[OsString] {
        &self.0
    }

    fn child(mut self, name: &[u8]) -> Self {
        self.0.push(OsString::from_vec(name.to_owned()));
        self
    }

    /// The meaning of an entry at this path.
    ///
    /// # Errors
    ///
    /// When it would delete something that is not a name.
    pub(crate) fn meaning(self) -> Result<Meaning, LayerFault> {
        let Some((directory, name)) = self.split() else {
            return Ok(Meaning::Itself(self));
        };
        let name = name.as_bytes();
        if directory.0.iter().any(|above| above.as_bytes().starts_with(NOTE)) {
            return Ok(Meaning::Nothing);
        }
        if directory.0.iter().any(|above| above.as_bytes().starts_with(WHITEOUT)) {
            return Err(LayerFault::entry(
                self.relative().as_os_str().as_bytes(),
                "is in a directory whose name takes another one away",
            ));
        }
        if name == OPAQUE {
            return Ok(Meaning::Opaque(directory));
        }
        if name.starts_with(NOTE) {
            return Ok(Meaning::Nothing);
        }
        match name.strip_prefix(WHITEOUT) {
            None => Ok(Meaning::Itself(self)),
            Some(b"" | b"." | b"..") => Err(LayerFault::entry(name, "takes away something that is no name")),
            Some(removed) => Ok(Meaning::Whiteout(directory.child(removed))),
        }
    }
}

/// The meaning of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The entry itself.
    Itself(EntryPath),
    /// A deletion of this path in the layers below.
    Whiteout(EntryPath),
    /// A deletion of everything that the layers below have in this directory.
    Opaque(EntryPath),
    /// None.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<EntryPath, LayerFault> {
        EntryPath::read(text.as_bytes(), 4)
    }

    #[test]
    fn a_path_stays_in_the_layer() {
        for (text, path) in [
            ("etc/passwd", "etc/passwd"),
            ("/etc/passwd", "etc/passwd"),
            ("//./etc//passwd/", "etc/passwd"),
            ("./", ""),
            ("", ""),
            ("a/...", "a/..."),
        ] {
            assert_eq!(read(text).unwrap().relative(), PathBuf::from(path), "{text}");
        }
        for text in [
            "..",
            "../x",
            "a/../../x",
            "a/..",
            "/..",
            "a/b/c/d/e",
            "a\0b",
            &"x".repeat(256),
            &"x/".repeat(3000),
        ] {
            read(text).unwrap_err();
        }
    }

    #[test]
    fn a_name_means_what_the_standard_says() {
        let meaning = |text: &str| read(text).unwrap().meaning();
        assert_eq!(meaning("a/.wh.b").unwrap(), Meaning::Whiteout(read("a/b").unwrap()));
        assert_eq!(meaning("a/.wh..wh..opq").unwrap(), Meaning::Opaque(read("a").unwrap()));
        assert_eq!(meaning(".wh..wh..opq").unwrap(), Meaning::Opaque(EntryPath::default()));
        for note in [".wh..wh.plnk", ".wh..wh.aufs", ".wh..wh.plnk/7.8"] {
            assert_eq!(meaning(note).unwrap(), Meaning::Nothing, "{note}");
        }
        for text in [".wh.", ".wh..", ".wh...", ".wh.a/b"] {
            meaning(text).unwrap_err();
        }
        assert_eq!(meaning("a/.what").unwrap(), Meaning::Itself(read("a/.what").unwrap()));
    }
}
