//! Images in a directory: a file of JSON for each name.

use std::io;
use std::path::PathBuf;

use super::{Image, Images};
use crate::state::read_json;

/// Images that somebody else unpacked, named by files `NAME.json` with `/` and `:` written as `%`.
#[derive(Debug)]
pub(crate) struct DirectoryImages(PathBuf);

impl DirectoryImages {
    /// The images in this directory.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }
}

impl Images for DirectoryImages {
    fn resolve(&self, name: &str) -> io::Result<Option<Image>> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        if name.is_empty() || !name.chars().all(plain) || name.starts_with('.') {
            return Ok(None);
        }
        let name = name.strip_suffix(":latest").unwrap_or(name);
        read_json(&self.0.join(format!("{}.json", name.replace(['/', ':'], "%"))))
    }
}
