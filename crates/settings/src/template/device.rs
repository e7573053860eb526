//! `[[template.NAME.device]]`: devices of the host that a container may use.

use std::collections::BTreeSet;

use super::parse_inside;
use crate::environment_value::parse_path;
use crate::reader::{Entry, Table};
use orchestrator_model::{Device, DeviceAccess};

/// The largest number of devices of one container.
const MOST_DEVICES: usize = 64;

/// Reads all devices. `None` only after a fault.
pub(super) fn read_all(table: &mut Table<'_>) -> Option<Vec<Device>> {
    let Some(entry) = table.take("device") else {
        return Some(Vec::new());
    };
    let devices = entry.list_of(MOST_DEVICES, |entry| entry.table().and_then(read))?;
    let mut targets = BTreeSet::new();
    match devices.iter().find(|device| !targets.insert(&device.target)) {
        None => Some(devices),
        Some(twice) => {
            let what = format!("has two devices at {}", twice.target.display());
            table.fault("device", what, "give each a target of its own");
            None
        }
    }
}

/// Reads a device; `None` only after a fault.
fn read(mut table: Table<'_>) -> Option<Device> {
    let source = table.need("source", "name the device on this machine, like \"/dev/fuse\"");
    let source = source.and_then(|entry| entry.parse("write it like \"/dev/fuse\"", parse_path));
    let target = match table.take("target") {
        Some(entry) => entry.parse("write it like \"/dev/fuse\"", parse_inside),
        None => source.clone(),
    };
    let words = [("read", DeviceAccess::Read), ("read-write", DeviceAccess::ReadWrite)];
    let access = table
        .take("access")
        .map_or(Some(DeviceAccess::default()), |entry: Entry<'_>| entry.choice(&words));
    table.finish();
    Some(Device {
        source: source?,
        target: target?,
        access: access?,
    })
}
