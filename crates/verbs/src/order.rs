//! The order of lists: by value, not by spelling.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;
use super::page::read;

/// The position of a lease in the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Place {
    link: String,
    // None comes first: a prefix has no address.
    prefix: Option<Ipv6Net>,
    address: Option<Ipv6Addr>,
}

/// Sorts leases by link, then addresses by their value, then prefixes.
pub(super) fn leases(items: &[Value]) -> Result<Vec<Value>, Failure> {
    let mut placed: Vec<(Place, &Value)> = items
        .iter()
        .map(|item| Ok((read(item, "a lease")?, item)))
        .collect::<Result<_, Failure>>()?;
    placed.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(placed.into_iter().map(|(_, item)| item.clone()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn leases_are_in_the_order_of_their_values() {
        let items: Vec<Value> = [
            ("br0", "address", "fd39::100"),
            ("br0", "prefix", "fd40::/56"),
            ("br0", "address", "fd39::ff"),
            ("br0", "address", "fd39::1:0"),
            ("br0", "address", "fd39::9"),
            ("a", "address", "fd39::a000"),
        ]
        .map(|(link, kind, leased)| json!({"link": link, kind: leased}))
        .to_vec();
        let sorted = leases(&items).unwrap();
        assert_eq!(sorted, [5, 4, 2, 0, 3, 1].map(|at: usize| items[at].clone()));
    }
}
