//! Memberships of sockets in multicast groups on an interface.

use std::fs;
use std::net::Ipv6Addr;

/// Where the kernel lists them, for the namespace of the thread that reads.
const TABLE: &str = "/proc/thread-self/net/igmp6";

/// The `wanted` groups that no socket is a member of on the interface with this index.
///
/// The result is empty when the kernel's list cannot be read. The calling thread must be in the interface's namespace.
pub fn missing_groups(index: u32, wanted: &[Ipv6Addr]) -> Vec<Ipv6Addr> {
    match fs::read_to_string(TABLE) {
        Ok(table) => not_in(&table, index, wanted),
        Err(_untold) => Vec::new(),
    }
}

fn not_in(table: &str, index: u32, wanted: &[Ipv6Addr]) -> Vec<Ipv6Addr> {
    let joined: Vec<Ipv6Addr> = table.lines().filter_map(|line| group(line, index)).collect();
    wanted.iter().filter(|group| !joined.contains(group)).copied().collect()
}

/// The group of a line such as `2    br0    ff020000000000000000000000000001     1 0000000C 0`.
fn group(line: &str, index: u32) -> Option<Ipv6Addr> {
    let mut words = line.split_whitespace();
    let number: u32 = words.next()?.parse().ok()?;
    let bits = u128::from_str_radix(words.nth(1)?, 16).ok()?;
    (number == index).then_some(bits.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_told_apart_by_interface() {
        let table = "1    lo              ff020000000000000000000000010002     1 0000000C 0\n\
                     2    br0             ff020000000000000000000000000001     1 0000000C 0\n\
                     nonsense\n";
        let agents: Ipv6Addr = "ff02::1:2".parse().unwrap();
        let nodes: Ipv6Addr = "ff02::1".parse().unwrap();
        assert_eq!(not_in(table, 2, &[agents, nodes]), [agents]);
        assert_eq!(not_in(table, 1, &[agents]), [] as [Ipv6Addr; 0]);
    }
}
