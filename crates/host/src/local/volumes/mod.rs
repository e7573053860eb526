//! Volumes of the machine: directories named after their ids, in one directory that is open to the daemon alone.
//!
//! ```text
//!   ensure:  .new-<id> made, given its owner and mode ─▶ renamed to <id>      a crash leaves no half-made volume
//!            its limit set anew each time                                      a template may have another size by now
//!   remove:  emptied from the top, directories moved up ─▶ rmdir               depth and names do not matter
//!            on btrfs: the subvolume, and all within it                        in one step
//!   export:  walked by open directories, never by paths ─▶ tar                 no link leads out
//! ```

mod export;
mod make;
mod remove;

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use orchestrator_plugin::{ByteStream, ContainerSpec, Id, Volume, VolumeSource};
use orchestrator_runtime::usage::VolumeUsage;

use super::LocalHost;
use crate::{Cause, ContainerPlan, InstancePlan, VolumeError};

impl LocalHost {
    /// The directory of a volume.
    fn volume_path(&self, volume: Id) -> PathBuf {
        self.inner.volumes.join(volume.to_string())
    }

    /// Makes the volumes that an instance holds, where they are missing.
    pub(super) async fn ensure_volumes(&self, plan: &InstancePlan) -> Result<(), Cause> {
        for mount in &plan.mounts {
            let (root, mount) = (self.inner.volumes.clone(), mount.clone());
            let volume = mount.volume;
            self.on_volume(volume, "make", move || make::ensure(&root, &mount))
                .await?;
        }
        Ok(())
    }

    /// The spec of a container with the volumes that it has.
    pub(super) fn with_mounts<'s>(
        &self,
        plan: &InstancePlan,
        container: &ContainerPlan,
        spec: Cow<'s, ContainerSpec>,
    ) -> Cow<'s, ContainerSpec> {
        let own = plan.mounts.iter().filter(|mount| mount.container == container.name);
        let volumes: Vec<Volume> = own
            .map(|mount| Volume {
                source: VolumeSource::Path(self.volume_path(mount.volume)),
                target: mount.target.clone(),
                read_only: mount.read_only,
            })
            .collect();
        if volumes.is_empty() {
            return spec;
        }
        let mut spec = spec.into_owned();
        spec.volumes.extend(volumes);
        Cow::Owned(spec)
    }

    pub(super) async fn remove_directory(&self, volume: Id) -> Result<(), Cause> {
        let path = self.volume_path(volume);
        self.on_volume(volume, "remove", move || remove::remove(&path)).await
    }

    /// What a volume takes; `None` when it is not there.
    pub(super) async fn measure_directory(&self, volume: Id) -> Result<Option<VolumeUsage>, Cause> {
        let path = self.volume_path(volume);
        let measure = move || match orchestrator_quota::measure(&path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            measured => measured.map(|usage| {
                Some(VolumeUsage {
                    bytes: usage.bytes,
                    limit: usage.limit,
                    obstacle: usage.obstacle.map(|obstacle| obstacle.to_string()),
                })
            }),
        };
        self.on_volume(volume, "measure", measure).await
    }

    pub(super) async fn archive_volume(&self, volume: Id) -> Result<ByteStream, Cause> {
        let path = self.volume_path(volume);
        self.on_volume(volume, "read", move || export::export(volume, &path))
            .await
    }

    /// Does something with the directory of a volume. The disk may hang, so no runtime thread waits for it.
    async fn on_volume<T: Send + 'static>(
        &self,
        volume: Id,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Cause> {
        let done = match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(fault) => Err(io::Error::other(fault)),
        };
        done.map_err(|source| {
            let path = self.volume_path(volume);
            Cause::Volume(VolumeError {
                volume,
                doing,
                path,
                source,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use orchestrator_plugin::Id;

    use crate::{ContainerName, MountPlan};

    /// A directory that is removed with the test.
    pub(super) struct Place(PathBuf);

    impl Place {
        pub(super) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("orchestrator-volume-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    pub(super) fn mount(number: u8) -> MountPlan {
        MountPlan {
            volume: Id::from_bytes([number; 6]),
            container: ContainerName::MAIN,
            target: "/data".into(),
            read_only: false,
            size: None,
            mode: 0o750,
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
        }
    }
}
