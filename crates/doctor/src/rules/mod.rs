//! The rules, a file an area: facts in, findings out. They do no I/O, read no clock, and wait for nothing.

mod backlog;
mod clock;
mod daemon;
mod database;
mod disk;
mod engines;
mod firewall;
mod forwarding;
mod images;
mod kernel;
mod links;
mod lost;
mod neighbors;
mod policy;
mod resources;
mod strays;

use crate::{Examined, Facts};

/// Every rule, in the order of the areas.
pub(crate) const ALL: &[fn(&Facts) -> Examined] = &[
    daemon::examine,
    forwarding::examine,
    links::examine,
    neighbors::examine,
    firewall::examine,
    kernel::examine,
    engines::examine,
    images::examine,
    clock::examine,
    database::examine,
    disk::examine,
    resources::examine,
    policy::examine,
    strays::examine,
    lost::examine,
];

/// Bytes for people, in the largest unit that leaves a whole number of at least ten.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut count, mut unit) = (count, 0);
    while count >= 10 * 1024 && unit + 1 < UNITS.len() {
        count /= 1024;
        unit += 1;
    }
    format!("{count} {}", UNITS.get(unit).copied().unwrap_or_default())
}

/// Names for people.
fn list<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(20 * 1024), "20 KiB");
        assert_eq!(bytes(9 << 30), "9216 MiB");
        assert_eq!(bytes(50 << 40), "50 TiB");
    }
}
