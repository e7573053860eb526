//! Reads `settings.toml` into checked, typed settings.
//!
//! There are three steps, without side effects. The file and the environment become one tree of values (`tree`,
//! `environment`). Readers take it key by key into types (`reader`, and one file for each section). Checks of several
//! keys together come last (`check`). Every step goes on after a fault, so that all faults are reported together, each
//! with its key and a remedy.
//!
//! The state of the machine, such as a missing bridge or engine, is not checked here.

mod acme;
mod advertisement;
mod api;
mod balancer;
mod capability;
mod check;
mod class;
mod class_pool;
mod current;
mod delegation;
mod dns;
mod elsewhere;
mod engine;
mod environment;
mod environment_value;
mod fault;
mod host;
mod images;
mod isolation;
mod lifetimes;
mod limits;
mod link;
mod log;
mod metadata;
mod neighbor;
mod network;
mod option;
mod place;
mod portal;
mod prefix;
mod reader;
mod relay;
mod reload;
mod reservation;
mod secrets;
mod size;
mod source;
mod start;
mod store;
mod template;
mod tree;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::Value;

pub use acme::AcmeSettings;
pub use advertisement::AdvertisementSettings;
pub use api::{ApiSettings, ApiTls, Listen, TlsFiles};
pub use balancer::BalancerSettings;
pub use class::ClassSettings;
pub use class_pool::ClassPool;
pub use current::Current;
pub use dns::{DNS_PORT, DnsSettings};
pub use elsewhere::Elsewhere;
pub use engine::{ConfiguredEngine, Engines};
pub use environment::PREFIX;
pub use fault::{Collector, Fault, Faults, nearest, one_of};
pub use host::{HostSettings, REMEDY as HOST_REMEDY, parse_host, parse_role};
pub use images::ImagesSettings;
pub use isolation::{IsolationSettings, SpecialPorts};
pub use lifetimes::Lifetimes;
pub use limits::{Ceiling, LimitsSettings, LinkLimits};
pub use link::LinkSettings;
pub use log::{LogFormat, LogLevel, LogSettings};
pub use metadata::{METADATA_ADDRESS, MetadataSettings};
pub use neighbor::NeighborSettings;
pub use network::NetworkSettings;
pub use place::Place;
pub use portal::{PortalCertificate, PortalSettings};
pub use reader::{Entry, Table};
pub use reload::{Change, Effect, Reload, plan_reload};
pub use reservation::{ReservationFault, ReservationRules, ReservedKeys, check_holder};
pub use secrets::SecretsSettings;
pub use source::{DnsmasqSettings, ListenerSettings, SourceSettings};
pub use start::{SetLogLevel, Start};
pub use store::{StoreSettings, StoreUrl};
pub use template::{
    Again, ContainerSettings, HIDDEN, Hidden, KEYS_OF_CLIENTS, Readiness, SidecarSettings, TemplateSettings,
    TimeSettings, VolumeScope, VolumeSettings, join_words, parse_toml, read_template, read_template_keys,
    reread_template, write_lifespan, write_toml,
};
pub use volumes::VolumesSettings;

use link::{Common, Outline};
use option::Given;
use orchestrator_model::LeaseSource;
use orchestrator_plugin::EngineKind;
use orchestrator_plugins::KINDS;

/// All settings. `settings.toml` of the repository documents every key.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The database, and how long history is kept.
    pub store: StoreSettings,
    /// The file of the key that opens the secrets in the database.
    pub secrets: SecretsSettings,
    /// Where the volumes of instances are.
    pub volumes: VolumesSettings,
    /// What the clients may take of a host.
    pub limits: LimitsSettings,
    /// Which images that nothing uses are removed.
    pub images: ImagesSettings,
    /// The sockets of the REST API.
    pub api: ApiSettings,
    /// The level and the format of the log.
    pub log: LogSettings,
    /// The engines that containers run on.
    pub engines: Engines,
    /// Lease sources other than the daemon's own listener.
    pub source: SourceSettings,
    /// The service that tells each instance about itself.
    pub metadata: MetadataSettings,
    /// The pages of clients.
    pub portal: PortalSettings,
    /// The names of services, instances and clients.
    pub dns: DnsSettings,
    /// The name of this machine among hosts, and its roles.
    pub host: HostSettings,
    /// The balancers that the daemon keeps by itself; `None` if it keeps none.
    pub balancer: Option<BalancerSettings>,
    /// The authority that certifies routes by ACME; `None` if there is none.
    pub acme: Option<AcmeSettings>,
    /// The links, in the order of the settings. Their names differ and their prefixes do not overlap.
    pub links: Vec<LinkSettings>,
    /// The classes of clients, in the order of the settings. A client is in the first class that it matches.
    pub classes: Vec<ClassSettings>,
    /// The networks, in the order of the settings. Their names, bridges and prefixes differ from those of links.
    pub networks: Vec<NetworkSettings>,
    /// The templates by name. A link or a class may name others, which are declared [`Elsewhere`].
    pub templates: BTreeMap<String, TemplateSettings>,
}

impl Settings {
    /// The link of this name.
    pub fn link(&self, name: &str) -> Option<&LinkSettings> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The network of this name.
    pub fn network(&self, name: &str) -> Option<&NetworkSettings> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// The names of the templates for a client of a link and, if it has one, a class. The client gets an instance of
    /// each.
    pub fn template_names_of<'s>(&'s self, link: &str, class: Option<&str>) -> impl Iterator<Item = &'s str> + use<'s> {
        let link = self.link(link).filter(|link| link.instances.is_some());
        let class = class.and_then(|name| self.classes.iter().find(|class| class.name == name));
        let of_class = class.map(|class| &class.templates).filter(|names| !names.is_empty());
        let names = link.map(|link| of_class.unwrap_or(&link.templates));
        names.into_iter().flatten().map(String::as_str)
    }

    /// The templates of the settings for a client of a link and, if it has one, a class, with their names.
    pub fn templates_of<'s>(
        &'s self,
        link: &str,
        class: Option<&str>,
    ) -> impl Iterator<Item = (&'s str, &'s TemplateSettings)> + use<'s> {
        let names = self.template_names_of(link, class);
        names.filter_map(|name| Some((name, self.templates.get(name)?)))
    }

    /// Whether any client of a link gets an instance.
    pub fn provides(&self, link: &LinkSettings) -> bool {
        let listens = link.source == LeaseSource::Listener;
        let of_class = || listens && self.classes.iter().any(|class| !class.templates.is_empty());
        link.instances.is_some() && (!link.templates.is_empty() || of_class())
    }

    /// The templates that some client gets now, through its link, or through its class on a link whose listener finds
    /// classes.
    pub fn templates_in_use(&self) -> BTreeSet<&str> {
        let providing = || self.links.iter().filter(|link| self.provides(link));
        let of_links = providing().flat_map(|link| &link.templates);
        let finds_classes = providing().any(|link| link.source == LeaseSource::Listener);
        let of_classes = self.classes.iter().flat_map(|class| &class.templates);
        of_links
            .chain(of_classes.filter(|_| finds_classes))
            .map(String::as_str)
            .collect()
    }

    /// The rules that reservations must keep.
    pub fn reservation_rules(&self) -> ReservationRules {
        ReservationRules::of(&self.links)
    }

    /// Whether any link has a front door. The packets of its instances go through this machine.
    pub fn has_front_door(&self) -> bool {
        self.links.iter().any(|link| link.front_door().is_some())
    }

    /// Whether prefixes are delegated on any link.
    pub fn delegates(&self) -> bool {
        self.links.iter().any(|link| link.routed().next().is_some())
    }
}

/// Reads the settings from the file at `path`, and from the variables of `env` that begin with [`PREFIX`]. The settings
/// must declare every template that they name.
///
/// # Errors
///
/// All faults.
pub fn load(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Settings, Faults> {
    load_beside(path, env, &Elsewhere::NOTHING)
}

/// Like [`load`], for settings that may name templates that are declared elsewhere.
///
/// # Errors
///
/// All faults.
pub fn load_beside(
    path: &Path,
    env: impl Iterator<Item = (String, String)>,
    elsewhere: &Elsewhere,
) -> Result<Settings, Faults> {
    read_beside(tree::from_file(path)?, env, KINDS, elsewhere)
}

/// Like [`load`], for settings as text.
///
/// # Errors
///
/// All faults.
pub fn parse(text: &str, env: impl Iterator<Item = (String, String)>) -> Result<Settings, Faults> {
    parse_with(KINDS, text, env)
}

/// Like [`parse`], with these kinds of engines instead of those that are built in.
///
/// # Errors
///
/// All faults.
pub fn parse_with(
    kinds: &[&dyn EngineKind],
    text: &str,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Settings, Faults> {
    read(tree::from_text("settings", text)?, env, kinds)
}

fn read(
    root: Value,
    env: impl Iterator<Item = (String, String)>,
    kinds: &[&dyn EngineKind],
) -> Result<Settings, Faults> {
    read_beside(root, env, kinds, &Elsewhere::NOTHING)
}

fn read_beside(
    mut root: Value,
    env: impl Iterator<Item = (String, String)>,
    kinds: &[&dyn EngineKind],
    elsewhere: &Elsewhere,
) -> Result<Settings, Faults> {
    let faults = Collector::default();
    environment::overlay(&mut root, env, &faults);
    let settings = read_sections(Table::root(root, &faults), kinds, elsewhere);
    faults.finish(settings)
}

/// Reads all sections; `None` only after a fault.
fn read_sections(mut root: Table<'_>, kinds: &[&dyn EngineKind], elsewhere: &Elsewhere) -> Option<Settings> {
    let store = StoreSettings::read(root.section("store"));
    let secrets = SecretsSettings::read(root.section("secrets"), &store);
    let volumes = VolumesSettings::read(root.section("volumes"), &store.identity);
    let limits = LimitsSettings::read(root.section("limits"));
    let images = ImagesSettings::read(root.section("images"));
    let api = ApiSettings::read(root.section("api"));
    let log = LogSettings::read(root.section("log"));
    let engines = Engines::read(root.section("engine"), kinds);
    let source = SourceSettings::read(root.section("source"));
    let metadata = MetadataSettings::read(root.section("metadata"));
    let portal = PortalSettings::read(root.section("portal"));
    let dns = DnsSettings::read(root.section("dns"));
    let host = HostSettings::read(root.section("host"));
    let options = read_options(&mut root);
    let (class_outlines, classes): (Vec<class::Outline>, Vec<_>) = class::read_all(&mut root).into_iter().unzip();
    let common = Common {
        options,
        portal,
        dns,
        classes,
        class_names: class_outlines.iter().map(|class| class.name.clone()).collect(),
    };
    let links = link::read_all(&mut root, &common);
    let (outlines, links): (Vec<Outline>, Vec<Option<LinkSettings>>) = links.into_iter().unzip();
    let (networks_outlined, networks): (Vec<network::Outline>, Vec<_>) =
        network::read_all(&mut root).into_iter().unzip();
    let (names, templates) = template::read_all(&mut root, &engines);
    check::relays_named(&outlines, &source.listener.relays, root.faults());
    check::links_apart(&outlines, root.faults());
    check::delegations_apart(&outlines, root.faults());
    reservation::check_all(&outlines, root.faults());
    relay::known_once(&outlines, root.faults());
    network::check_apart(&networks_outlined, &outlines, root.faults());
    common.dns.check_forward(&outlines, root.faults());
    let of_links = outlines.iter().filter_map(|link| link.prefix);
    let of_networks = networks_outlined.iter().filter_map(|network| network.prefix);
    metadata.check_apart(of_links.chain(of_networks), root.faults());
    let attached = templates
        .iter()
        .map(|(name, template)| (name.as_str(), template.networks.as_slice()));
    network::check_known(attached, &networks_outlined, root.faults());
    let by_classes = class_outlines
        .iter()
        .flat_map(|class| class.templates.iter().map(|name| (class.key.as_str(), name.as_str())));
    let by_links = outlines
        .iter()
        .flat_map(|link| link.templates.iter().map(|name| (link.key.as_str(), name.as_str())));
    check::templates_known(by_classes.chain(by_links), &names, elsewhere, root.faults());
    check::hook_reachable(&outlines, &api, root.faults());
    let balancer = read_balancer(&mut root, &engines, &links, &networks);
    let acme = AcmeSettings::read(&mut root);
    root.finish();
    let links = links.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Settings {
        store,
        secrets,
        volumes,
        limits,
        images,
        api,
        log,
        engines,
        source,
        metadata,
        portal: common.portal,
        dns: common.dns,
        host,
        balancer: balancer?,
        acme: acme?,
        links,
        classes: common.classes.into_iter().collect::<Option<Vec<_>>>()?,
        networks: networks.into_iter().collect::<Option<Vec<_>>>()?,
        templates,
    })
}

/// Reads `[balancer]`, which names a link or a network.
fn read_balancer(
    root: &mut Table<'_>,
    engines: &Engines,
    links: &[Option<LinkSettings>],
    networks: &[Option<NetworkSettings>],
) -> Option<Option<BalancerSettings>> {
    let complete = links.iter().all(Option::is_some) && networks.iter().all(Option::is_some);
    let links: Vec<&LinkSettings> = links.iter().flatten().collect();
    let networks: Vec<&NetworkSettings> = networks.iter().flatten().collect();
    BalancerSettings::read(root, engines, (&links, &networks, complete))
}

/// Reads `[options]`: DHCPv6 options for the clients of all links.
fn read_options(root: &mut Table<'_>) -> Given {
    let mut table = root.section("options");
    let given = Given::read(&mut table);
    given.check_size(&table);
    table.finish();
    given
}

#[cfg(test)]
mod tests;
