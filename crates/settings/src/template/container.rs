//! What one container of an instance is to be.

use std::collections::BTreeMap;

use super::{device, file, parse_image, parse_word, read_resources};
use crate::capability::parse_capability;
use crate::environment_value::{Environment, read_environment};
use crate::reader::{Entry, Table};
use orchestrator_model::{Device, File, Resources, ValueSource};

const MOST_WORDS: usize = 256;
const MOST_CAPABILITIES: usize = 64;

/// What one container of an instance is to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerSettings {
    /// Image to start, as the engine names it.
    pub image: String,
    /// Command in place of the image's own; empty keeps the image's.
    pub command: Vec<String>,
    /// Environment variables for the first process.
    pub environment: BTreeMap<String, String>,
    /// Environment variables whose values are read from files and credentials when an instance is started.
    pub environment_from: BTreeMap<String, ValueSource>,
    /// Linux capabilities it keeps, without `CAP_`; all others are dropped.
    pub capabilities: Vec<String>,
    /// Its limits on the host's resources.
    pub resources: Resources,
    /// Devices of the host that it may use.
    pub devices: Vec<Device>,
    /// Files that are written into it before its first start.
    pub files: Vec<File>,
}

/// Takes the keys of a container. `None` only after a fault.
pub(super) fn read(table: &mut Table<'_>) -> Option<ContainerSettings> {
    let image = table.need(
        "image",
        "name an image that the engine has, like \"orchestrator/client\"",
    );
    let image = image.and_then(|entry| entry.parse("write it like \"orchestrator/client\"", parse_image));
    let word = |entry: Entry<'_>| entry.parse("leave NUL bytes out", parse_word);
    let command = table
        .take("command")
        .map_or(Some(Vec::new()), |entry| entry.list_of(MOST_WORDS, word));
    let Environment { plain, sourced } = read_environment(table.section("environment"));
    let capability = |entry: Entry<'_>| entry.parse("name it as capabilities(7) does", parse_capability);
    let capabilities = table
        .take("capabilities")
        .map_or(Some(Vec::new()), |entry| entry.list_of(MOST_CAPABILITIES, capability));
    let resources = read_resources(table);
    let devices = device::read_all(table);
    let files = file::read_all(table);
    Some(ContainerSettings {
        image: image?,
        command: command?,
        environment: plain,
        environment_from: sourced,
        capabilities: capabilities?,
        resources,
        devices: devices?,
        files: files?,
    })
}
