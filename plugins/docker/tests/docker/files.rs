//! Files, devices and volumes, as the kernel shows them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use orchestrator_lab::Engine;
use orchestrator_plugin::{
    Container, ContainerSpec, Device, DeviceAccess, Engine as _, EngineError, File, FileContent, NetworkMode, Volume,
    VolumeSource,
};

use crate::support::{inspect, name, new_id, pid, plugin, spec};

const OWN: NetworkMode = NetworkMode::EngineNamespace;

/// A path inside, as this machine sees it.
fn inside(pid: u32, path: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/root{path}"))
}

#[tokio::test]
async fn a_file_has_its_owner_and_mode_and_its_directories_are_everybody_s_to_enter() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    let deep = format!("/{}/{}", "d".repeat(120), "f".repeat(90));
    let file = |target: &str, mode, uid, gid| File {
        target: target.into(),
        content: FileContent::Bytes(vec![0, 255, b'\n']),
        mode,
        uid,
        gid,
    };
    let with = ContainerSpec {
        files: vec![file("/etc/app/key", 0o640, 7, 8), file(&deep, 0o4755, 0, 0)],
        ..spec()
    };
    let pid = pid(&plugin.ensure(&Container::main(id), &with, &OWN).await.unwrap());
    let key = inside(pid, "/etc/app/key");
    let metadata = fs::metadata(&key).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (7, 8));
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
    assert_eq!(fs::read(key).unwrap(), [0, 255, b'\n']);
    let directory = fs::metadata(inside(pid, "/etc/app")).unwrap();
    assert_eq!(directory.permissions().mode() & 0o755, 0o755);
    let program = fs::metadata(inside(pid, &deep)).unwrap();
    assert_eq!(program.permissions().mode() & 0o7777, 0o4755);
    plugin.remove(&Container::main(id)).await.unwrap();
}

#[tokio::test]
async fn a_file_at_a_path_that_leads_out_is_refused_and_nothing_is_made() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    let with = ContainerSpec {
        files: vec![File {
            target: "/etc/../../x".into(),
            content: FileContent::Text(String::new()),
            mode: File::default_mode(),
            uid: 0,
            gid: 0,
        }],
        ..spec()
    };
    let fault = plugin.ensure(&Container::main(id), &with, &OWN).await.unwrap_err();
    assert!(matches!(fault, EngineError::Refused { .. }), "{fault}");
    assert_eq!(plugin.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_device_is_the_host_s_and_only_that_one() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let with = ContainerSpec {
        devices: vec![Device {
            source: "/dev/zero".into(),
            target: "/dev/nothing-else".into(),
            access: DeviceAccess::Read,
        }],
        ..spec()
    };
    let pid = pid(&plugin.ensure(&Container::main(id), &with, &OWN).await.unwrap());
    let [own, host] = [inside(pid, "/dev/nothing-else"), "/dev/zero".into()].map(|path| fs::metadata(path).unwrap());
    assert!(own.file_type().is_char_device());
    assert_eq!(own.rdev(), host.rdev());
    let devices = &inspect(engine, &name(&id))["HostConfig"]["Devices"];
    assert_eq!(devices[0]["CgroupPermissions"], "r");
    plugin.remove(&Container::main(id)).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_refused() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    let with = ContainerSpec {
        volumes: vec![Volume {
            source: VolumeSource::Path("/no/such/directory".into()),
            target: "/data".into(),
            read_only: false,
        }],
        ..spec()
    };
    let fault = plugin.ensure(&Container::main(id), &with, &OWN).await.unwrap_err();
    assert!(matches!(fault, EngineError::Refused { .. }), "{fault}");
    assert!(fault.to_string().contains("/no/such/directory"), "{fault}");
    assert!(!fs::exists("/no/such/directory").unwrap(), "nobody makes it");
    plugin.remove(&Container::main(id)).await.unwrap();
}
