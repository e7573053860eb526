//! The specification of a service: all keys of its file, checked.

mod access;
mod health;
mod hidden;
mod instances;
mod name;
mod placement;
mod ports;
mod route;
mod strategy;
mod written;

use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator_model::{Listen, Route, ServicePort};
use orchestrator_settings::{Collector, Faults, Settings, Table, TemplateSettings, read_template_keys};
use serde_json::Value as Json;

pub use access::is_of_clients;
pub use health::{Health, Probe};
pub use instances::{Instances, MOST_INSTANCES, PerClient};
pub use name::is_service_name;
pub use placement::Placement;
pub use strategy::{RollOrder, Strategy};

/// A service: what its instances are, how many there are, and how they are reached, checked and replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpec {
    /// Its name ([`is_service_name`]).
    pub name: String,
    /// How many instances it has.
    pub instances: Instances,
    /// The link or network on which its instances are reached. `None` if each client has one, on the client's link.
    pub network: Option<String>,
    /// What each instance is: the keys of a template.
    pub template: TemplateSettings,
    /// Its ports, by name.
    pub ports: BTreeMap<String, ServicePort>,
    /// How an instance is checked. Without a check, an instance is healthy while it is ready.
    pub health: Option<Health>,
    /// How instances are replaced by those of another version.
    pub strategy: Strategy,
    /// The hosts that its instances may be placed on.
    pub placement: Placement,
    /// Whether a client's connections go to the same instance while that serves.
    pub sticky: bool,
    /// Whether connections of balancers begin with the header of the PROXY protocol, version 2.
    pub proxy_protocol: bool,
    /// The names and paths under which HTTP reaches it. No two are alike.
    pub routes: Vec<Route>,
    /// The virtual addresses on which connections reach it. No two are alike.
    pub listen: Vec<Listen>,
}

impl ServiceSpec {
    /// Reads the keys of a service, as JSON. The settings must have the engine and the networks that it names.
    ///
    /// # Errors
    ///
    /// All faults, each with its key, a remedy, and the nearest known key. The keys begin with the name of the service.
    pub fn read(keys: &Json, settings: &Settings) -> Result<Self, Faults> {
        read(keys, settings, true)
    }

    /// Reads a recorded service. Networks that it names may have been removed from the settings since.
    ///
    /// # Errors
    ///
    /// All faults.
    pub fn reread(keys: &Json, settings: &Settings) -> Result<Self, Faults> {
        read(keys, settings, false)
    }

    /// The number of its instances; `None` if each client has one.
    pub fn count(&self) -> Option<u32> {
        match &self.instances {
            Instances::Count(count) => Some(*count),
            Instances::PerClient(_) => None,
        }
    }
}

fn read(keys: &Json, settings: &Settings, networks_exist: bool) -> Result<ServiceSpec, Faults> {
    let faults = Collector::default();
    let path = keys
        .get("name")
        .and_then(Json::as_str)
        .filter(|name| is_service_name(name));
    let table = Table::of_json(path.unwrap_or("service"), keys, &faults);
    let spec = table.and_then(|table| read_table(table, settings, networks_exist));
    faults.finish(spec)
}

/// Reads all keys; `None` only after a fault.
fn read_table(mut table: Table<'_>, settings: &Settings, networks_exist: bool) -> Option<ServiceSpec> {
    let name = name::read(&mut table);
    let known = networks_exist.then_some(settings);
    let instances = instances::read(&mut table, known);
    let per_client = matches!(instances, Some(Instances::PerClient(_)));
    if per_client {
        access::refuse_service_keys(&mut table);
    }
    let network = instances::read_network(&mut table, per_client, settings, networks_exist);
    let ports = ports::read(&mut table);
    let health = match table.take("health") {
        Some(entry) => health::read(entry, &ports).map(Some),
        None => Some(None),
    };
    let strategy = strategy::read(&mut table, per_client);
    let placement = placement::read(&mut table, per_client);
    let sticky = table.take("sticky").and_then(|entry| entry.flag()).unwrap_or(false);
    let proxy_protocol = table.take("proxy_protocol").and_then(|entry| entry.flag());
    let routes = route::read_routes(&mut table, &ports);
    let listen = route::read_listen(&mut table, &ports);
    if !per_client {
        access::refuse_client_keys(&mut table);
    }
    let mut template = read_template_keys(table, settings, networks_exist);
    if let (false, Some(template)) = (per_client, &mut template) {
        access::open_ports(&mut template.access, &ports);
        // A slot that is closed was drained before: nobody comes back for its instance.
        (template.time.grace, template.time.keep) = (Duration::ZERO, Duration::ZERO);
    }
    Some(ServiceSpec {
        name: name?,
        instances: instances?,
        network: network?,
        template: template?,
        ports,
        health: health?,
        strategy: strategy?,
        placement: placement?,
        sticky,
        proxy_protocol: proxy_protocol.unwrap_or(false),
        routes: routes?,
        listen: listen?,
    })
}

#[cfg(test)]
mod tests;
