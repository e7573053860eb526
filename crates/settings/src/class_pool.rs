//! `[[link.class_pool]]`: addresses of a link for the clients of one class.

use ipnet::Ipv6Net;
use orchestrator_dhcp6::ClassId;

use super::class;
use super::prefix::parse_range;
use super::reader::{Entry, Table};

/// The largest number of pools of a link.
const MOST_POOLS: usize = 64;

/// Addresses of a link for the clients of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassPool {
    /// The id of the class: its place in the settings.
    pub class: ClassId,
    /// The addresses, inside the link's prefix and in no other pool.
    pub pool: Ipv6Net,
}

/// Reads the pools of a link, each with its range; `None` stands for a fault.
pub(super) fn read_all(link: &mut Table<'_>, classes: &[Option<&str>]) -> Vec<(Option<Ipv6Net>, Option<ClassPool>)> {
    let entries = link.take("class_pool").and_then(|entry| entry.list(MOST_POOLS));
    let tables = entries.into_iter().flatten().filter_map(Entry::table);
    tables.map(|table| read(table, classes)).collect()
}

fn read(mut table: Table<'_>, classes: &[Option<&str>]) -> (Option<Ipv6Net>, Option<ClassPool>) {
    let class = table.need("class", "name the class whose clients are given these addresses");
    let class = class.and_then(|entry| class::find(entry, classes));
    let remedy = "name a range inside the link's prefix, like \"fd39:9706:2786:6333::3:0/112\"";
    let pool = table.need("pool", remedy);
    let pool = pool.and_then(|entry| entry.parse(remedy, parse_range));
    table.finish();
    let read = class.zip(pool).map(|(class, pool)| ClassPool { class, pool });
    (pool, read)
}
