//! `[[link.delegation]]`: prefixes that are delegated to the clients of a link.

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{LONGEST_PREFIX, PrefixPool};

use super::class;
use super::prefix::{is_routable, parse_range};
use super::reader::{Entry, Table};

/// The largest number of pools of a link.
const MOST_POOLS: usize = 16;
/// The shortest allowed prefix of a pool. No site has a shorter one.
const SHORTEST_POOL: u8 = 16;

/// Reads the pools of a link; `None` if any of them is faulty.
pub(super) fn read_all(link: &mut Table<'_>, classes: &[Option<&str>]) -> Option<Vec<PrefixPool>> {
    link.take("delegation").map_or(Some(Vec::new()), |entry| {
        entry.list_of(MOST_POOLS, |pool| pool.table().and_then(|table| read(table, classes)))
    })
}

/// Reads a pool; `None` only after a fault.
fn read(mut table: Table<'_>, classes: &[Option<&str>]) -> Option<PrefixPool> {
    let remedy = "give a prefix that is routed to this machine, like \"fd39:9706:2787::/48\"";
    let prefix = table.need("pool", remedy);
    let prefix = prefix.and_then(|entry| entry.parse(remedy, parse_pool));
    let length = table
        .take("length")
        .map_or(Some(LONGEST_PREFIX), |entry| entry.whole(1..=i64::from(LONGEST_PREFIX)));
    let exclude = |entry: Entry<'_>| entry.parse("write it like \"0:0:0:ff::/64\"", parse_range);
    let excluded = table.take("exclude").map(exclude);
    let pool = prefix.zip(length).and_then(|(prefix, length)| {
        let pool = PrefixPool::new(prefix, length).ok();
        if pool.is_none() {
            let remedy = format!("take {} to {LONGEST_PREFIX}", prefix.prefix_len());
            table.fault("length", format!("{length} bits are no part of {prefix}"), remedy);
        }
        pool
    });
    let pool = match (pool, excluded) {
        (Some(pool), Some(Some(excluded))) => exclude_from(&table, pool, excluded),
        (pool, None) => pool,
        (_, Some(_)) => None,
    };
    let class = table.take("class").map(|entry| class::find(entry, classes));
    table.finish();
    match class {
        Some(class) => pool.zip(class).map(|(pool, class)| pool.for_class(class)),
        None => pool,
    }
}

/// Sets the excluded prefix. It is written as a part of the delegated prefix whose variable bits are zero.
fn exclude_from(table: &Table<'_>, pool: PrefixPool, excluded: Ipv6Net) -> Option<PrefixPool> {
    let length = excluded.prefix_len();
    let number = u128::from(excluded.network()).checked_shr(u32::from(128 - length));
    match pool.with_excluded(length, number.unwrap_or(0)) {
        Ok(pool) => Some(pool),
        Err(_) => {
            let what = format!(
                "{excluded} is no part of a prefix of {} bits that are zero",
                pool.length()
            );
            table.fault("exclude", what, "write the part as it would be in a prefix of zeros");
            None
        }
    }
}

/// Parses a prefix that may be delegated, or from which prefixes are delegated.
pub(super) fn parse_pool(text: &str) -> Result<Ipv6Net, String> {
    let net = parse_range(text)?;
    if (SHORTEST_POOL..=LONGEST_PREFIX).contains(&net.prefix_len()) && is_routable(net) {
        Ok(net)
    } else {
        Err(format!("{net} is no prefix to delegate from"))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Settings, parse};

    /// A link with one pool of these lines, and the faults of that pool.
    fn pool(lines: &str) -> Result<Settings, Vec<String>> {
        let link = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";
        let settings = parse(&format!("{link}[[link.delegation]]\n{lines}\n"), std::iter::empty());
        settings.map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn pools_are_read() {
        let settings = pool("pool = \"fd40::/48\"\nlength = 56\nexclude = \"0:0:0:ff::/64\"").unwrap();
        let [pool] = settings.links[0].delegation[..] else {
            panic!("{settings:?}")
        };
        assert_eq!((pool.prefix().to_string().as_str(), pool.length()), ("fd40::/48", 56));
        let expected = orchestrator_dhcp6::PrefixPool::new(pool.prefix(), 56).unwrap();
        assert_eq!(pool, expected.with_excluded(64, 0xff).unwrap());
    }

    #[test]
    fn what_is_wrong_with_a_pool_is_told() {
        for (lines, fault) in [
            (
                "length = 64",
                "link[0].delegation[0].pool: is missing; give a prefix that is routed to this machine, like \"fd39:9706:2787::/48\"",
            ),
            (
                "pool = \"fe80::/64\"",
                "link[0].delegation[0].pool: fe80::/64 is no prefix to delegate from; \
                 give a prefix that is routed to this machine, like \"fd39:9706:2787::/48\"",
            ),
            (
                "pool = \"fd40::/56\"\nlength = 48",
                "link[0].delegation[0].length: 48 bits are no part of fd40::/56; take 56 to 64",
            ),
            (
                "pool = \"fd40::/48\"\nlength = 56\nexclude = \"0:0:0:100::/64\"",
                "link[0].delegation[0].exclude: 0:0:0:100::/64 is no part of a prefix of 56 bits that are zero; \
                 write the part as it would be in a prefix of zeros",
            ),
            (
                "pool = \"fd39::/48\"",
                "link[0].delegation[0].pool: fd39::/48 overlaps the prefix fd39::/64 of link[0]; \
                 delegate prefixes that are on no link",
            ),
            (
                "pool = \"fd40::/48\"\n[[link.delegation]]\npool = \"fd40:0:0:8::/61\"",
                "link[0].delegation[1].pool: fd40:0:0:8::/61 overlaps fd40::/48 of link[0].delegation[0].pool; \
                 delegate each prefix once",
            ),
        ] {
            assert_eq!(pool(lines).unwrap_err(), [fault]);
        }
        for lines in [
            "pool = \"fd40::/65\"",
            "pool = \"fd40::/8\"",
            "pool = \"fd40::/48\"\nlength = 65",
        ] {
            assert_eq!(pool(lines).unwrap_err().len(), 1, "{lines}");
        }
    }
}
