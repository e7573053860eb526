//! Everything that is there before the runtime is asked: file system, files, configuration.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use orchestrator_plugin::{Device, File, VolumeSource};
use orchestrator_plugin_oci::protocol::{Fault, Verb};
use rustix::process::Resource;

use super::{Held, overlay};
use crate::bundle::{self, DevicePlan, Inputs, etc_files};
use crate::cgroup::Hierarchy;
use crate::root::{Attributes, Root, User};
use crate::state::{read_json, write_json};

/// The most of the host's `/etc/resolv.conf` that a container gets, in bytes.
const LONGEST_RESOLVER: usize = 64 << 10;

/// The largest number of open files that a container may have.
const OPEN_FILES: u64 = 524_288;

impl Held {
    pub(super) fn prepare(&self) -> Result<(), Fault> {
        let failed = |error: io::Error| Fault::failed(Verb::Start, &self.record.name, error);
        overlay::mount_rootfs(&self.directory, &self.record).map_err(|error| {
            Fault::failed(
                Verb::Start,
                &self.record.name,
                format!("cannot mount its file system: {error}"),
            )
        })?;
        let root = Root::open(&self.directory.rootfs()).map_err(failed)?;
        self.write_files(&root)?;
        let user = User::find(&root, &self.record.image.config.user).map_err(failed)?;
        let refused = |reason: String| Fault::refused(Verb::Start, &self.record.name, reason);
        let inputs = self.inputs(user.map_err(refused)?)?;
        let config = bundle::plan(&self.record, &inputs).map_err(refused)?;
        write_json(&self.directory.config(), &config).map_err(failed)
    }

    /// Writes the files of the specification, before the first start only.
    fn write_files(&self, root: &Root) -> Result<(), Fault> {
        if !self.is_first() || self.record.spec.files.is_empty() {
            return Ok(());
        }
        let failed = |error: io::Error| Fault::failed(Verb::WriteFiles, &self.record.name, error);
        let files: Vec<File> = read_json(&self.directory.files()).map_err(failed)?.unwrap_or_default();
        for file in files {
            let content = file.content.bytes().unwrap_or_default();
            let attributes = Attributes {
                mode: file.mode,
                uid: file.uid,
                gid: file.gid,
            };
            root.write(&file.target, content, attributes).map_err(|error| {
                let reason = format!("{}: {error}", file.target.display());
                Fault::refused(Verb::WriteFiles, &self.record.name, reason)
            })?;
        }
        Ok(())
    }

    fn inputs(&self, user: User) -> Result<Inputs, Fault> {
        let failed = |error: io::Error| Fault::failed(Verb::Start, &self.record.name, error);
        let refused = |reason: String| Fault::refused(Verb::Start, &self.record.name, reason);
        let mut resolver = fs::read("/etc/resolv.conf").unwrap_or_default();
        resolver.truncate(LONGEST_RESOLVER);
        let etc = etc_files(&self.record, &String::from_utf8_lossy(&resolver));
        for file in &etc {
            let path = self.directory.file(file.name);
            // What the container changed in it stays.
            if !path.exists() {
                fs::write(&path, &file.content).map_err(failed)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).map_err(failed)?;
            }
        }
        let devices = self.record.spec.devices.iter().map(device).collect::<Result<_, _>>();
        let open_files = rustix::process::getrlimit(Resource::Nofile)
            .maximum
            .unwrap_or(OPEN_FILES);
        let process = bundle::process(&self.record, None, user, open_files.min(OPEN_FILES));
        Ok(Inputs {
            rootfs: self.directory.rootfs(),
            bundle: self.directory.path().to_owned(),
            volumes: self.volumes()?,
            cgroup: self.group.path().to_owned(),
            is_v2: matches!(self.hierarchy, Hierarchy::V2(_)),
            limits_swap: self.hierarchy.limits_swap(),
            netns: match &self.namespace {
                Some(namespace) => Some(namespace.path()),
                None => self.arguments.netns.clone(),
            },
            process: process.map_err(refused)?,
            etc,
            devices: devices.map_err(refused)?,
            init: self.arguments.common.init.clone(),
        })
    }

    /// Makes the named volumes where they are missing, and looks whether the others are there. Returns the directory of
    /// the named ones.
    fn volumes(&self) -> Result<std::path::PathBuf, Fault> {
        let refused = |reason: String| Fault::refused(Verb::Start, &self.record.name, reason);
        // STATE/containers/REFERENCE
        let state = self
            .directory
            .path()
            .ancestors()
            .nth(2)
            .unwrap_or(self.directory.path());
        let place = state.join("volumes");
        for volume in &self.record.spec.volumes {
            match &volume.source {
                VolumeSource::Name(name) if is_volume_name(name) => {
                    let path = place.join(name);
                    fs::create_dir_all(&path).map_err(|error| {
                        Fault::failed(Verb::Start, &self.record.name, format!("volume {name}: {error}"))
                    })?;
                }
                VolumeSource::Name(name) => {
                    return Err(refused(format!(
                        "{name:?} cannot be the name of a volume; write letters, digits, \"-\", \"_\" and \".\", with a \
                         letter or digit first"
                    )));
                }
                VolumeSource::Path(path) if path.is_absolute() && path.exists() => {}
                VolumeSource::Path(path) => {
                    return Err(refused(format!("there is no {} on the host to mount", path.display())));
                }
            }
        }
        Ok(place)
    }
}

fn is_volume_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && name.len() <= 128 && name.bytes().all(known)
}

fn device(device: &Device) -> Result<DevicePlan, String> {
    let missing = |reason: String| format!("device {}: {reason}", device.source.display());
    let found = fs::metadata(&device.source).map_err(|error| missing(error.to_string()))?;
    let kind = found.file_type();
    if !kind.is_block_device() && !kind.is_char_device() {
        return Err(missing("it is not a device".to_owned()));
    }
    Ok(DevicePlan {
        target: device.target.clone(),
        is_block: kind.is_block_device(),
        major: rustix::fs::major(found.rdev()),
        minor: rustix::fs::minor(found.rdev()),
        mode: found.mode(),
        access: device.access,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_s_name_is_no_path() {
        assert!(is_volume_name("data-1_x.y"));
        for name in ["", ".", "..", "a/b", "-a", "a b", &"x".repeat(129)] {
            assert!(!is_volume_name(name), "{name:?}");
        }
    }
}
