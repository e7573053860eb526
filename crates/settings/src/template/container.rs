//! The settings of one container of an instance.

use std::collections::BTreeMap;

use super::{device, file, parse_image, parse_word, read_resources};
use crate::capability::parse_capability;
use crate::environment_value::{Environment, read_environment};
use crate::reader::{Entry, Table};
use orchestrator_model::{Device, File, Resources, ValueSource};

const MOST_WORDS: usize = 256;
const MOST_CAPABILITIES: usize = 64;

/// The settings of one container of an instance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerSettings {
    /// The image, as the engine names it.
    pub image: String,
    /// The command; empty to run the image's own.
    pub command: Vec<String>,
    /// Environment variables for the first process.
    pub environment: BTreeMap<String, String>,
    /// Environment variables whose values the daemon reads from files and credentials when it starts an instance.
    pub environment_from: BTreeMap<String, ValueSource>,
    /// Linux capabilities that it keeps, without `CAP_`. All others are dropped.
    pub capabilities: Vec<String>,
    /// Limits on what it may use of the host.
    pub resources: Resources,
    /// Devices of the host that it may use.
    pub devices: Vec<Device>,
    /// Files that are written into it before its first start.
    pub files: Vec<File>,
}

/// Reads the keys of a container. `None` only after a fault.
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
