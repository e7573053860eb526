//! The packet filters of other programs, as far as they see forwarded packets. They are only read.

mod read;

use std::collections::BTreeSet;

use self::read::{Rule, chains, interfaces_in_set, rules, tables};
use crate::netfilter::connect;
use crate::{Network, NetworkError, thread};

/// The beginning of the names of our own tables: of the packet filter, and of the log of origins.
const OURS: &str = "orchestrator-";
const ORIGINS: &str = "origins-";

/// A protocol family of nftables that sees IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FirewallFamily {
    /// IPv4 and IPv6.
    Inet,
    /// Frames within a bridge.
    Bridge,
    /// IPv6.
    Ip6,
}

impl FirewallFamily {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Inet, Self::Bridge, Self::Ip6];

    /// Its word in `nft`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Bridge => "bridge",
            Self::Ip6 => "ip6",
        }
    }

    /// Its number in the kernel.
    fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Bridge => 7,
            Self::Ip6 => 10,
        }
    }
}

/// A chain at the hook of forwarded packets that drops what none of its rules accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppingChain {
    /// The family of its table.
    pub family: FirewallFamily,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// Whether its policy drops. Otherwise its last rule does.
    pub by_policy: bool,
    /// The interfaces that any rule of its table names.
    pub interfaces: BTreeSet<String>,
}

impl Network {
    /// The chains of other programs that drop forwarded packets by default.
    ///
    /// Rules of the table that name an interface are not interpreted: only the names are returned.
    ///
    /// # Errors
    ///
    /// [`Refused`](NetworkError::Refused) by the kernel, [`NotPermitted`](NetworkError::NotPermitted) without
    /// CAP_NET_ADMIN.
    pub async fn dropping_chains(&self) -> Result<Vec<DroppingChain>, NetworkError> {
        self.read_filters("reading other programs' packet filters", |socket| {
            let mut found = Vec::new();
            for family in FirewallFamily::ALL {
                let chains = chains(socket, family.number())?;
                let forward: Vec<_> = (chains.into_iter())
                    .filter(|chain| chain.is_filter_of_forwarded && !chain.table.starts_with(OURS))
                    .collect();
                if forward.is_empty() {
                    continue;
                }
                let rules = rules(socket, family.number())?;
                for chain in forward {
                    let mut own = rules
                        .iter()
                        .filter(|rule| rule.table == chain.table && rule.chain == chain.name);
                    let by_rule = own.next_back().is_some_and(|rule| rule.drops_everything);
                    if chain.policy_drops || by_rule {
                        found.push(DroppingChain {
                            family,
                            interfaces: interfaces(socket, family, &chain.table, &rules)?,
                            table: chain.table,
                            chain: chain.name,
                            by_policy: chain.policy_drops,
                        });
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    /// The tables of all sites: the family, the name and the site of each.
    ///
    /// # Errors
    ///
    /// As [`dropping_chains`](Self::dropping_chains).
    pub async fn site_tables(&self) -> Result<Vec<(FirewallFamily, String, String)>, NetworkError> {
        self.read_filters("listing tables of the packet filter", |socket| {
            let mut found = Vec::new();
            for family in FirewallFamily::ALL {
                for name in tables(socket, family.number())? {
                    if let Some(site) = name.strip_prefix(OURS) {
                        let site = site.strip_prefix(ORIGINS).unwrap_or(site).to_owned();
                        found.push((family, name, site));
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    async fn read_filters<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&netlink_sys::Socket) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let read = move || {
            let socket = connect().map_err(NetworkError::Open)?;
            work(&socket).map_err(|fault| crate::netfilter::refused(doing, fault))
        };
        thread::run(&self.own, read).await
    }
}

/// The interfaces that rules of a table name, in themselves or in sets.
fn interfaces(
    socket: &netlink_sys::Socket,
    family: FirewallFamily,
    table: &str,
    rules: &[Rule],
) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for rule in rules.iter().filter(|rule| rule.table == table) {
        names.extend(rule.interfaces.iter().cloned());
        for set in &rule.interface_sets {
            names.extend(interfaces_in_set(socket, family.number(), table, set)?);
        }
    }
    Ok(names)
}
