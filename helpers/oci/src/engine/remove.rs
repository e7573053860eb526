//! Makes sure that a container is gone.

use std::fs;
use std::io;
use std::sync::Arc;

use orchestrator_plugin_oci::protocol::{Fault, TargetRequest, Verb};
use tracing::warn;

use super::{Entry, Helper, blocking};
use crate::state::Directory;

impl Helper {
    /// Removes the container that the caller means, and what took its place. A copy that somebody made is left alone.
    ///
    /// Each is tried, also when another one fails; the first failure is returned.
    pub(crate) async fn remove(&self, request: &TargetRequest) -> Result<(), Fault> {
        let container = request.container.container();
        let _turn = self.turn(&container.key).await;
        let mut meant = self.index().meant(request.site, &container);
        if container.reference.is_none() {
            // Any others that bear the mark are copies.
            meant.truncate(1);
        }
        let mut outcome = Ok(());
        for entry in meant {
            let removed = self.remove_entry(&entry).await;
            outcome = outcome.and(removed);
        }
        outcome
    }

    /// Removes one container with its processes and all that it wrote.
    pub(super) async fn remove_entry(&self, entry: &Arc<Entry>) -> Result<(), Fault> {
        self.kill(entry).await?;
        let name = entry.record().name.clone();
        let removing = self.0.place.removing().join(&entry.reference);
        let (from, to) = (entry.directory.path().to_owned(), removing.clone());
        blocking(Verb::Remove, &name, move || match fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await?;
        self.index().remove(entry);
        self.release_image(&entry.reference);
        self.report(entry);
        // It is gone for everybody; how long its files take is nobody's concern.
        tokio::task::spawn_blocking(move || delete(&Directory::new(removing)));
        Ok(())
    }
}

/// Deletes the directory of a container that was removed.
pub(super) fn delete(directory: &Directory) {
    if let Err(error) = remove_all(directory) {
        warn!(directory = %directory.path().display(), %error, "files of a removed container are left; the next start tries again");
    }
}

/// Removes the directory of a container. One that is gone is success.
pub(super) fn remove_all(directory: &Directory) -> io::Result<()> {
    // In one step where it is a subvolume; otherwise it goes with the rest.
    orchestrator_quota::remove(&directory.layer())?;
    match fs::remove_dir_all(directory.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
