//! The packet filter: who may speak for which address, and who with whom.
//!
//! ```text
//!   skeleton: constant text, loaded by `nft -f -` at start, at repair, and when it is another version
//!   elements: added and removed by netlink, in transactions
//!
//!   port ──▶ table bridge: prerouting (who is who) ──▶ forward (who with whom) ──▶ port
//!                                    └─▶ host ─▶ table inet: input, forward (routed), front door, masquerade
//! ```
//!
//! - Both tables are named after the site, and touch only ports, bridges and addresses that are elements of their sets.
//!   Tables of others are neither read nor changed.
//! - The tables belong to nobody's socket: they stay when the daemon ends. Until it runs again, what was allowed stays
//!   allowed, and nothing else is.
//! - No text of a user or a client is in the rules. Elements are typed values.
//! - `Elements` is what is to be there. What is there is found by a dump of the sets, never by listing rules.

pub(crate) mod codec;
mod counts;
pub(crate) mod element;
mod facts;
pub(crate) mod load;
mod segment;
pub(crate) mod skeleton;
mod watch;

use std::collections::BTreeSet;
use std::io;

use netlink_sys::{Socket, SocketAddr};

pub use self::counts::{ByCause, FilterCounts};
pub use self::element::FilterElement;
use self::element::{Family, SetName};
pub use self::facts::{FilterRole, FilterSockets, link_local};
pub(crate) use self::load::load_for_a_try;
pub use self::segment::{Segment, SegmentChange, SegmentPort};
pub use self::watch::FilterChange;
use crate::netfilter::nftables::{DELETE_TABLE, SUBSYSTEM};
use crate::netfilter::{Attributes, Message, SharedSocket, ask, connect, dump, lacks_filter, refused};
use crate::{Network, NetworkError, thread};

/// Elements of one transaction, so that no transaction holds up the machine's packet filter for long.
const AT_ONCE: usize = 16_000;
/// How often a dump is repeated that something changed under.
const DUMPS: usize = 5;

/// The packet filter of a site in the daemon's network namespace.
#[derive(Clone)]
pub struct Filter {
    network: Network,
    table: String,
    /// The number of the socket, by which the kernel says whose change it was.
    port: u32,
    /// One question after the other goes through it.
    socket: SharedSocket,
}

/// What was not right about the rules, and was made right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterRepair {
    /// Whether the rules were missing, another version or damaged.
    pub loaded: bool,
    /// How many elements were missing or too many.
    pub elements: usize,
}

impl Network {
    /// Opens the packet filter of a site. Nothing is changed yet. `site` is part of the tables' names: letters and digits.
    ///
    /// # Errors
    ///
    /// [`BadPlan`](NetworkError::BadPlan) for another site, [`Open`](NetworkError::Open) without a socket,
    /// [`NoFilter`](NetworkError::NoFilter) where the kernel has no netfilter.
    pub async fn filter(&self, site: &str) -> Result<Filter, NetworkError> {
        if site.is_empty() || site.len() > 64 || !site.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(NetworkError::BadPlan {
                subject: "the packet filter".into(),
                reason: "the site's name has other characters than letters and digits".into(),
            });
        }
        let open = || {
            let socket = connect()?;
            let mut address = SocketAddr::new(0, 0);
            socket.get_address(&mut address)?;
            Ok((socket, address.port_number()))
        };
        let failed = |fault: io::Error| match lacks_filter(&fault) {
            true => refused("opening netfilter's netlink", fault),
            false => NetworkError::Open(fault),
        };
        let (socket, port) = thread::run(&self.own, move || open().map_err(failed)).await?;
        Ok(Filter {
            port,
            network: self.clone(),
            table: format!("orchestrator-{site}"),
            socket: SharedSocket::new(socket),
        })
    }
}

impl Filter {
    /// Makes the rules what this version has, and their elements these. What is right is not touched. Returns what was
    /// not right.
    ///
    /// # Errors
    ///
    /// [`Refused`](NetworkError::Refused) by the kernel, [`NoFilter`](NetworkError::NoFilter) without nftables or `nft`,
    /// [`NotPermitted`](NetworkError::NotPermitted) without CAP_NET_ADMIN. Then what is there is at neither state.
    pub async fn ensure(&self, wanted: &BTreeSet<FilterElement>) -> Result<FilterRepair, NetworkError> {
        let loaded = !self.is_whole().await?;
        if loaded {
            self.load().await?;
        }
        let wanted = wanted.clone();
        let table = self.table.clone();
        self.socket
            .run("bringing the packet filter's sets up to date", move |socket| {
                let found = dump_all(socket, &table)?;
                let (remove, add) = codec::differences(&found, &wanted);
                change(socket, &table, &remove, &add)?;
                Ok(FilterRepair {
                    loaded,
                    elements: remove.len() + add.len(),
                })
            })
            .await
    }

    /// Removes elements and adds others in one transaction: all of it comes into force, or nothing.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure). Also when an element is not there that is to be removed: somebody else changed the
    /// sets, so that they have to be compared.
    pub async fn change(&self, remove: Vec<FilterElement>, add: Vec<FilterElement>) -> Result<(), NetworkError> {
        let table = self.table.clone();
        self.socket
            .run("changing elements of the packet filter", move |socket| {
                let (remove, add): (Vec<_>, Vec<_>) = (remove.iter().collect(), add.iter().collect());
                change(socket, &table, &remove, &add)
            })
            .await
    }

    /// What is in the sets and maps that elements are added to.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn elements(&self) -> Result<BTreeSet<FilterElement>, NetworkError> {
        let table = self.table.clone();
        self.socket
            .run("reading the packet filter's sets", move |socket| {
                dump_all(socket, &table)
            })
            .await
    }

    /// Reads all counters. All are zero when the rules are not there.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn counts(&self) -> Result<FilterCounts, NetworkError> {
        let table = self.table.clone();
        self.socket
            .run("reading the packet filter's counters", move |socket| {
                counts::read(socket, &table)
            })
            .await
    }

    /// Removes both tables. Returns whether one was there.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn remove(&self) -> Result<bool, NetworkError> {
        let table = self.table.clone();
        self.socket
            .run("removing the packet filter's rules", move |socket| {
                let mut removed = false;
                for family in Family::ALL {
                    match ask(socket, &deletion(&table, family)) {
                        Ok(()) => removed = true,
                        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                        Err(fault) => return Err(fault),
                    }
                }
                Ok(removed)
            })
            .await
    }
}

fn deletion(table: &str, family: Family) -> [Message; 3] {
    use crate::netfilter::nftables::{BEGIN, END};
    [
        Message::mark(BEGIN, SUBSYSTEM),
        Message::new(SUBSYSTEM, DELETE_TABLE)
            .for_family(family.number())
            .having(Attributes::default().with_text(1, table)),
        Message::mark(END, SUBSYSTEM),
    ]
}

fn change(socket: &Socket, table: &str, remove: &[&FilterElement], add: &[&FilterElement]) -> io::Result<()> {
    if remove.len() + add.len() <= AT_ONCE {
        return match remove.is_empty() && add.is_empty() {
            true => Ok(()),
            false => ask(socket, &codec::transaction(table, remove, add)),
        };
    }
    for some in remove.chunks(AT_ONCE) {
        ask(socket, &codec::transaction(table, some, &[]))?;
    }
    for some in add.chunks(AT_ONCE) {
        ask(socket, &codec::transaction(table, &[], some))?;
    }
    Ok(())
}

/// The sets and maps that elements are added to.
fn sets() -> impl Iterator<Item = (Family, SetName)> {
    let classes = (0..skeleton::CLASSES).map(|class| (Family::Inet, SetName::Class(class)));
    let named = |family, names: &'static [&'static str]| names.iter().map(move |name| (family, SetName::Named(name)));
    named(Family::Bridge, &skeleton::BRIDGE_SETS)
        .chain(named(Family::Inet, &skeleton::INET_SETS))
        .chain(classes)
}

fn dump_all(socket: &Socket, table: &str) -> io::Result<BTreeSet<FilterElement>> {
    let mut all = BTreeSet::new();
    for (family, set) in sets() {
        let question = codec::question(table, family, set);
        for attempt in 1.. {
            let mut found = Vec::new();
            let whole = dump(socket, &question, |body| {
                found.extend(
                    codec::elements(body, family, set)
                        .into_iter()
                        .map(|(element, _)| element),
                );
            })?;
            if whole || attempt == DUMPS {
                all.extend(found);
                break;
            }
        }
    }
    Ok(all)
}
