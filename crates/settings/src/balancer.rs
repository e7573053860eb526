//! `[balancer]`: the balancers that the daemon keeps by itself.

use ipnet::Ipv6Net;
use serde_json::{Map, Value as Json, json};

use super::Settings;
use super::engine::Engines;
use super::fault::one_of;
use super::host::{REMEDY, parse_role};
use super::link::LinkSettings;
use super::network::NetworkSettings;
use super::prefix::parse_range;
use super::reader::{Entry, Table};
use super::template::{Hidden, KEYS_OF_CLIENTS, TemplateSettings};

/// The default image.
const IMAGE: &str = "orchestrator/balancer";
/// The largest number of balancers, and of prefixes that may read the statistics.
const MOST: i64 = 100;
const MOST_PREFIXES: usize = 64;
/// The ports on which balancers listen.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// The balancers that the daemon keeps by itself, as a service with the name `balancer`.
#[derive(Debug, Clone, PartialEq)]
pub struct BalancerSettings {
    /// How many there are.
    pub count: u32,
    /// The link or network that they are reached on.
    pub network: String,
    /// The role that a host must have; `None` for any host.
    pub role: Option<String>,
    /// The prefixes from which the page of statistics may be read; empty to have none.
    pub statistics: Vec<Ipv6Net>,
    /// What each is: the keys of a template.
    pub template: TemplateSettings,
}

impl BalancerSettings {
    /// The port of the page of statistics.
    pub const STATISTICS_PORT: u16 = 8404;

    /// Reads the section; `Some(None)` without it, `None` only after a fault. `links` and `networks` are those without
    /// faults; with `complete`, they are all.
    pub(super) fn read(
        root: &mut Table<'_>,
        engines: &Engines,
        (links, networks, complete): (&[&LinkSettings], &[&NetworkSettings], bool),
    ) -> Option<Option<Self>> {
        let Some(entry) = root.take("balancer") else {
            return Some(None);
        };
        let mut table = entry.table()?;
        let links = links.iter().filter(|link| link.instances.is_some() && !link.remote);
        let links: Vec<&str> = links.map(|link| link.name.as_str()).collect();
        let networks = networks.iter().map(|network| network.name.as_str());
        let known: Vec<&str> = links.iter().copied().chain(networks).collect();
        let count = table.take("count").map_or(Some(1), |entry| entry.whole(0..=MOST));
        let network = read_network(&mut table, &links, &known, complete);
        let role = match table.take("role") {
            Some(entry) => entry.parse(REMEDY, parse_role).map(Some),
            None => Some(None),
        };
        let statistics = match table.take("statistics") {
            Some(entry) => entry.list_of(MOST_PREFIXES, |entry| {
                entry.parse("write it like \"fd39::/64\"", parse_range)
            }),
            None => Some(Vec::new()),
        };
        refuse_without_effect(&mut table);
        table.default("image", IMAGE);
        table.default("memory", "256MiB");
        table.default("cpus", "none");
        let template = super::template::read(table, engines);
        Some(Some(Self {
            count: count?,
            network: network?,
            role: role?,
            statistics: statistics?,
            template: template?,
        }))
    }

    /// The keys of the service, as those of a service file.
    pub fn service(&self, name: &str) -> Json {
        let mut keys = match self.template.written(Hidden::Nothing) {
            Json::Object(keys) => keys,
            _ => Map::new(),
        };
        let mut ports = json!({ "http": HTTP, "https": HTTPS });
        if !self.statistics.is_empty() {
            ports["statistics"] = Self::STATISTICS_PORT.into();
        }
        let mut put = |key: &str, value: Json| drop(keys.insert(key.to_owned(), value));
        put("name", json!(name));
        put("instances", json!(self.count));
        put("network", json!(self.network));
        put("ports", ports);
        // It reaches instances of others. Where packets are checked, the packet filter says which.
        put("isolated", json!(false));
        put(
            "health",
            json!({ "tcp": "http", "every": "2s", "timeout": "1s", "failures": 3, "successes": 1 }),
        );
        if let Some(role) = &self.role {
            put("placement", json!({ "role": role }));
        }
        // The filter opens the ports of every service by itself.
        keys.remove("open");
        Json::Object(keys)
    }
}

impl Settings {
    /// The prefixes from which the page of statistics of balancers may be read.
    pub fn balancer_statistics(&self) -> &[Ipv6Net] {
        self.balancer.as_ref().map_or(&[], |balancer| &balancer.statistics)
    }
}

/// Reports keys of a template that decide nothing about a balancer.
fn refuse_without_effect(table: &mut Table<'_>) {
    let others = [
        ("open", "the packet filter opens the ports of balancers by itself"),
        ("isolated", "a balancer reaches what the packet filter opens for it"),
    ];
    let of_clients = KEYS_OF_CLIENTS
        .iter()
        .map(|key| (*key, "it is about the client of an instance, and a balancer has none"));
    for (key, why) in others.into_iter().chain(of_clients) {
        if let Some(entry) = table.take(key) {
            entry.fault(format!("has no effect: {why}"), "remove it");
        }
    }
}

/// Reads `network`. Without it, the only link that has addresses for instances is meant.
fn read_network(table: &mut Table<'_>, links: &[&str], known: &[&str], complete: bool) -> Option<String> {
    let remedy = || match known.is_empty() {
        true => "describe a link that has addresses for instances, or a [[network]]".to_owned(),
        false => format!("write {}", one_of(known.iter().copied())),
    };
    match table.take("network") {
        None => match links {
            [only] => Some((*only).to_owned()),
            _ if !complete => None,
            _ => {
                table.fault("network", "is missing", remedy());
                None
            }
        },
        Some(entry) if !complete => Entry::text(entry),
        Some(entry) => entry.look_up(
            |name| known.contains(&name).then(|| name.to_owned()),
            |name| {
                (
                    format!("there is no link or network with addresses for instances {name:?}"),
                    remedy(),
                )
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                        instances = \"fd39::2:0/112\"\n";

    fn read(text: &str) -> Result<Option<BalancerSettings>, String> {
        let settings = crate::parse(&format!("{LINK}{text}"), std::iter::empty());
        settings
            .map(|settings| settings.balancer)
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn there_is_none_without_the_section_and_one_of_the_default_image_with_it() {
        assert_eq!(read("").unwrap(), None);
        let one = read("[balancer]").unwrap().unwrap();
        assert_eq!((one.count, one.network.as_str(), one.role.as_ref()), (1, "br0", None));
        assert_eq!(one.template.main.image, IMAGE);
        assert_eq!(one.template.main.resources.millicpus, None);
        let keys = one.service("balancer");
        assert_eq!(keys["ports"], json!({ "http": 80, "https": 443 }));
        assert_eq!((&keys["isolated"], &keys["instances"]), (&json!(false), &json!(1)));
    }

    #[test]
    fn its_keys_are_those_of_a_template_and_of_a_service() {
        let text = "[balancer]\ncount = 2\nrole = \"public\"\nnetwork = \"br0\"\nimage = \"lb:2\"\nmemory = \"1GiB\"\n\
                    statistics = [\"fd39::/64\"]\n";
        let keys = read(text).unwrap().unwrap().service("balancer");
        assert_eq!(keys["ports"]["statistics"], json!(8404));
        assert_eq!(
            (&keys["placement"], &keys["image"]),
            (&json!({ "role": "public" }), &json!("lb:2"))
        );
        assert_eq!(keys["memory"], json!("1GiB"));
    }

    #[test]
    fn faults_name_their_key() {
        for (bad, key) in [
            ("count = 101", "balancer.count"),
            ("network = \"br9\"", "balancer.network"),
            ("role = \"a b\"", "balancer.role"),
            ("statistics = [\"all\"]", "balancer.statistics[0]"),
            ("memroy = \"1GiB\"", "balancer.memroy"),
            ("open = [\"tcp/80\"]", "balancer.open"),
            ("isolated = false", "balancer.isolated"),
            ("grace = \"1h\"", "balancer.grace"),
            ("front_door_ports = [\"tcp/22\"]", "balancer.front_door_ports"),
        ] {
            let fault = read(&format!("[balancer]\n{bad}")).unwrap_err();
            assert!(fault.starts_with(&format!("{key}: ")), "{bad}: {fault}");
        }
        let two = "[[network]]\nname = \"backend\"\nprefix = \"fd50::/64\"\ninstances = \"fd50::1:0/112\"\n\
                   [[link]]\nbridge = \"br1\"\naddress = \"fd40::1/64\"\npool = \"fd40::1:0/112\"\n\
                   instances = \"fd40::2:0/112\"\n[balancer]\n";
        let fault = read(two).unwrap_err();
        assert!(
            fault.contains("balancer.network: is missing") && fault.contains("\"backend\""),
            "{fault}"
        );
    }
}
