//! Where an entry of a layer is to be, and what its name means there. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::LayerFault;

/// A name that begins like this takes away the name that follows (OCI image specification, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";
/// A name that begins like this is a note of the file system that the layer was made on.
const NOTE: &[u8] = b".wh..wh.";
/// The name that hides everything below its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// The longest path and the longest name that Linux takes.
const LONGEST_PATH: usize = 4095;
const LONGEST_NAME: usize = 255;

/// A path within a layer: names without `.` and `..`. The root of the layer has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct EntryPath(Vec<OsString>);

impl EntryPath {
    /// Reads a path as an archive has it. A leading slash is the root of the layer.
    ///
    /// # Errors
    ///
    /// When it leads upwards, is deeper than `depth`, or is no path at all.
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

    /// How many names it has.
    #[cfg(test)]
    pub(crate) fn names(&self) -> &[OsString] {
        &self.0
    }

    fn child(mut self, name: &[u8]) -> Self {
        self.0.push(OsString::from_vec(name.to_owned()));
        self
    }

    /// What an entry at this path means.
    ///
    /// # Errors
    ///
    /// When it would take away something that is no name.
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

/// What an entry is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// For what it is.
    Itself(EntryPath),
    /// It takes away what the layers below have at this path.
    Whiteout(EntryPath),
    /// It hides all that the layers below have in this directory.
    Opaque(EntryPath),
    /// For nothing here.
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
