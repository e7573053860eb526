//! Layers in the store: each is unpacked once, whoever brings it.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::disk::{LAYERS, make_private, sync_directory};
use super::{State, Store};
use crate::layer::{Unpacked, unpack};
use crate::{Digest, ImageError};

/// The directory of a layer's files.
pub(super) const CONTENT: &str = "fs";
/// The file with facts about it.
const FACTS: &str = "layer.json";

/// Layers that are not collected while somebody counts on them.
pub(super) struct Pinned<'a> {
    store: &'a Store,
    layers: Vec<Digest>,
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        self.store.state().unpin(&self.layers);
    }
}

impl State {
    fn pin(&mut self, layers: &[Digest]) {
        for layer in layers {
            *self.busy.entry(*layer).or_default() += 1;
        }
    }

    fn unpin(&mut self, layers: &[Digest]) {
        for layer in layers {
            if let Some(count) = self.busy.get_mut(layer) {
                *count -= 1;
            }
        }
        self.busy.retain(|_, count| *count > 0);
    }
}

impl Store {
    /// Keeps these layers from being collected.
    pub(super) fn pin(&self, layers: &[Digest]) -> Pinned<'_> {
        self.state().pin(layers);
        Pinned {
            store: self,
            layers: layers.to_owned(),
        }
    }

    /// Keeps these layers from being collected, if all of them are there.
    ///
    /// # Errors
    ///
    /// [`ImageError::LayerGone`] with the first that is not.
    pub(super) fn pin_present(&self, layers: &[Digest]) -> Result<Pinned<'_>, ImageError> {
        let mut state = self.state();
        if let Some(gone) = layers.iter().find(|layer| !state.layers.contains_key(layer)) {
            return Err(ImageError::LayerGone { digest: *gone });
        }
        state.pin(layers);
        Ok(Pinned {
            store: self,
            layers: layers.to_owned(),
        })
    }

    /// Those of these layers that are there, by the digests of their uncompressed form. A layer may be collected at any
    /// time, unless somebody counts on it ([`load_onto`](Self::load_onto)).
    pub fn layers_of(&self, layers: &[Digest]) -> Vec<Digest> {
        let state = self.state();
        let there = layers.iter().filter(|layer| state.layers.contains_key(layer));
        there.copied().collect()
    }

    /// Makes sure that a layer is there, which is unpacked from `open`'s stream where it is not.
    ///
    /// # Errors
    ///
    /// Why it is refused, unreadable, or not what its digest says. Nothing is left of it then.
    pub(super) fn ensure_layer(
        &self,
        digest: Digest,
        open: impl FnOnce() -> io::Result<File>,
    ) -> Result<(), ImageError> {
        let place = self.layer_directory(&digest);
        if let Some(facts) = self.facts_of(&digest, &place)? {
            self.state().layers.insert(digest, facts);
            return Ok(());
        }
        let workspace = self.workspace()?;
        let facts = self.unpack(digest, workspace.path(), open)?;
        match fs::rename(workspace.path(), &place) {
            Ok(()) => {}
            // Another load of the same layer was faster.
            Err(error) if is_there(&error) => {}
            Err(error) => return Err(ImageError::store("put in place", &place)(error)),
        }
        let all = self.path(LAYERS);
        sync_directory(&all).map_err(ImageError::store("write", &all))?;
        self.state().layers.insert(digest, facts);
        Ok(())
    }

    fn facts_of(&self, digest: &Digest, place: &Path) -> Result<Option<Unpacked>, ImageError> {
        if let Some(facts) = self.state().layers.get(digest) {
            return Ok(Some(*facts));
        }
        match read_facts(place) {
            Ok(facts) => Ok(Some(facts)),
            Err(ImageError::Store { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Unpacks a layer into a directory. All of it is on the disk when this returns.
    fn unpack(
        &self,
        digest: Digest,
        directory: &Path,
        open: impl FnOnce() -> io::Result<File>,
    ) -> Result<Unpacked, ImageError> {
        let content = directory.join(CONTENT);
        let fault = ImageError::store("unpack", &content);
        make_private(&content).map_err(&fault)?;
        // The root of a container is everybody's, unless the layer says otherwise.
        fs::set_permissions(&content, std::os::unix::fs::PermissionsExt::from_mode(0o755)).map_err(&fault)?;
        let root: OwnedFd = File::open(&content).map_err(&fault)?.into();
        let stream = open().map_err(ImageError::Unreadable)?;
        let facts = unpack(stream, root, digest, &self.limits)?;
        let bytes = serde_json::to_vec(&facts).map_err(|error| fault(error.into()))?;
        fs::write(directory.join(FACTS), bytes).map_err(&fault)?;
        let disk = File::open(directory).map_err(&fault)?;
        rustix::fs::syncfs(&disk).map_err(|errno| fault(errno.into()))?;
        Ok(facts)
    }
}

/// The facts about the layer in this directory.
pub(super) fn read_facts(directory: &Path) -> Result<Unpacked, ImageError> {
    let path = directory.join(FACTS);
    let fault = ImageError::store("read", &path);
    let bytes = fs::read(&path).map_err(&fault)?;
    if !directory.join(CONTENT).is_dir() {
        return Err(fault(io::ErrorKind::NotFound.into()));
    }
    serde_json::from_slice(&bytes).map_err(|error| fault(error.into()))
}

fn is_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
    )
}
