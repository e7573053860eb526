//! The interfaces whose default route a router advertised.

use std::collections::BTreeSet;
use std::path::Path;

use super::{number, text};
use crate::{Fact, RoutedInterface};

/// Flags of a route in the kernel's list: it is a default route, learned from a router's advertisement.
const DEFAULT: u32 = 0x0001_0000;
const ADVERTISED: u32 = 0x0004_0000;

/// Reads `/proc/net/ipv6_route` and the setting of each interface.
pub(crate) fn read(root: &Path) -> Fact<Vec<RoutedInterface>> {
    let routes = text(root, "proc/net/ipv6_route")?;
    let names: BTreeSet<&str> = routes.lines().filter_map(advertised).collect();
    let interface = |name: &str| {
        let accept_ra = number(root, &format!("proc/sys/net/ipv6/conf/{name}/accept_ra"))?;
        Ok(RoutedInterface {
            name: name.to_owned(),
            accept_ra: u8::try_from(accept_ra).unwrap_or(u8::MAX),
        })
    };
    names.into_iter().map(interface).collect()
}

/// The interface of an advertised default route: destination, its length, source, its length, next hop, metric, two
/// counters, flags, interface.
fn advertised(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let (destination, length) = (words.next()?, words.next()?);
    let flags = u32::from_str_radix(words.nth(6)?, 16).ok()?;
    let name = words.next()?;
    let is_default = length == "00" && destination.bytes().all(|digit| digit == b'0');
    // The name becomes part of a path.
    let is_name = !name.contains('/') && name != "." && name != "..";
    (is_default && is_name && flags & (DEFAULT | ADVERTISED) == DEFAULT | ADVERTISED).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: &str = "00000000000000000000000000000000";

    #[test]
    fn only_default_routes_of_routers_count() {
        let hop = "fe800000000000000000000000000001";
        let line = |length: &str, flags: &str, name: &str| {
            format!("{ZERO} {length} {ZERO} 00 {hop} 00000400 00000001 00000000 {flags} {name}\n")
        };
        let routes = [
            line("00", "00450003", "eth0"),
            line("00", "00000003", "eth1"),
            line("40", "00450003", "eth2"),
            line("00", "00450003", "../eth3"),
            "cut\n".to_owned(),
        ];
        let root = super::super::tree(
            "routed",
            &[
                ("proc/net/ipv6_route", &routes.concat()),
                ("proc/sys/net/ipv6/conf/eth0/accept_ra", "1\n"),
            ],
        );
        let found = read(&root).unwrap();
        let eth0 = RoutedInterface {
            name: "eth0".to_owned(),
            accept_ra: 1,
        };
        assert_eq!(found, [eth0]);
        std::fs::remove_dir_all(root).unwrap();
    }
}
