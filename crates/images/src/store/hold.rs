//! Records who uses an image. An image in use is not removed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use tracing::warn;

use super::disk::HOLDS;
use super::{Kept, Resolved, Store};
use crate::{Digest, ImageError};

/// The longest name of a holder.
const LONGEST: usize = 200;

impl Store {
    /// Resolves an image, and keeps it until `holder` releases it, even across restarts. A new hold replaces an earlier
    /// one of the same holder.
    ///
    /// The caller chooses the name `holder`, of letters, digits, `.`, `_` and `-`: one for each container.
    ///
    /// # Errors
    ///
    /// [`ImageError::Missing`]; [`ImageError::Refused`] when the holder's name cannot be one.
    pub fn hold(&self, reference: &str, holder: &str) -> Result<Resolved, ImageError> {
        check(holder)?;
        let mut state = self.state();
        let digest = state.find(reference)?;
        let resolved = self.resolved(&state, digest, reference)?;
        if state.holds.get(holder) != Some(&digest) {
            let place = self.path(HOLDS).join(holder);
            let under_way = self.work_name();
            // A link is created in one step, with its text.
            let linked = std::os::unix::fs::symlink(digest.to_string(), &under_way);
            let linked = linked.and_then(|()| fs::rename(&under_way, &place));
            linked.map_err(ImageError::store("write", &place))?;
            state.holds.insert(holder.to_owned(), digest);
        }
        self.touch(&digest);
        Ok(resolved)
    }

    /// Ends the use of an image. Releasing an image that is not held succeeds.
    ///
    /// # Errors
    ///
    /// [`ImageError::Store`].
    pub fn release(&self, holder: &str) -> Result<(), ImageError> {
        check(holder)?;
        let mut state = self.state();
        let Some(digest) = state.holds.get(holder).copied() else {
            return Ok(());
        };
        let place = self.path(HOLDS).join(holder);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ImageError::store("remove", &place)(error));
            }
            _ => {}
        }
        state.holds.remove(holder);
        self.touch(&digest);
        Ok(())
    }

    /// The image of each holder.
    pub fn holders(&self) -> BTreeMap<String, Digest> {
        self.state().holds.clone()
    }

    /// Records that an image is used now, which affects only how long it is kept.
    fn touch(&self, digest: &Digest) {
        let path = self.config_path(digest);
        let touched = File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        if let Err(error) = touched {
            warn!(path = %path.display(), %error, "the last use of an image is not recorded");
        }
    }
}

/// Reads the holders of all images. A hold on a missing image is removed.
pub(super) fn read(directory: &Path, images: &BTreeMap<Digest, Kept>) -> Result<BTreeMap<String, Digest>, ImageError> {
    let fault = ImageError::store("read", directory);
    let mut holds = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(&fault)? {
        let entry = entry.map_err(&fault)?;
        let text = fs::read_link(entry.path()).unwrap_or_default();
        let digest = str::from_utf8(text.as_os_str().as_bytes()).ok();
        let digest: Option<Digest> = digest.and_then(|text| text.parse().ok());
        match (entry.file_name().into_string(), digest) {
            (Ok(holder), Some(digest)) if images.contains_key(&digest) => {
                holds.insert(holder, digest);
            }
            _ => fs::remove_file(entry.path()).map_err(&fault)?,
        }
    }
    Ok(holds)
}

fn check(holder: &str) -> Result<(), ImageError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_name = !holder.is_empty() && holder.len() <= LONGEST && holder.bytes().all(known);
    if !is_name || matches!(holder, "." | "..") {
        return Err(ImageError::refused(format!(
            "{holder:?} cannot be the name of who uses it"
        )));
    }
    Ok(())
}
