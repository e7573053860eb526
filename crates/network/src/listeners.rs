//! Which programs hold a port of this machine.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;

/// The kernel's tables of sockets by which a datagram or a connection to an IPv6 address is received, each with the state
/// that counts: none for UDP, "listening" for TCP.
const TABLES: [(&str, Option<&str>); 2] = [("udp6", None), ("tcp6", Some("0A"))];

/// The programs, other than this process, that receive at a port of an address by UDP or TCP: also those that receive at
/// every address. Each is named as in `dnsmasq (4711)`; one whose process cannot be seen is left out.
pub fn of(address: Ipv6Addr, port: u16) -> Vec<String> {
    below(Path::new("/proc"), address, port, std::process::id())
}

fn below(proc: &Path, address: Ipv6Addr, port: u16, but: u32) -> Vec<String> {
    let mut sockets = BTreeSet::new();
    for (table, state) in TABLES {
        let text = fs::read_to_string(proc.join("self/net").join(table)).unwrap_or_default();
        let lines = text.lines().skip(1);
        sockets.extend(lines.filter_map(|line| socket(line, address, port, state)));
    }
    match sockets.is_empty() {
        true => Vec::new(),
        false => holders(proc, &sockets, but),
    }
}

/// The link by which a process refers to the socket of this line, if it receives at the port of the address.
fn socket(line: &str, address: Ipv6Addr, port: u16, state: Option<&str>) -> Option<String> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (held, number) = fields.get(1)?.split_once(':')?;
    let held = read_address(held)?;
    let receives = held == address || held.is_unspecified();
    let is_port = u16::from_str_radix(number, 16).ok()? == port;
    let is_state = state.is_none_or(|state| fields.get(3) == Some(&state));
    (receives && is_port && is_state).then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
}

/// Four words of hexadecimal digits, each in the order of this machine.
fn read_address(text: &str) -> Option<Ipv6Addr> {
    let mut bytes = [0; 16];
    for (index, word) in bytes.chunks_exact_mut(4).enumerate() {
        let digits = text.get(index * 8..index * 8 + 8)?;
        word.copy_from_slice(&u32::from_str_radix(digits, 16).ok()?.to_ne_bytes());
    }
    Some(Ipv6Addr::from(bytes))
}

fn holders(proc: &Path, sockets: &BTreeSet<String>, but: u32) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir(proc).into_iter().flatten().flatten() {
        let Some(number) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let descriptors = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let mut targets = descriptors.filter_map(|one| fs::read_link(one.path()).ok());
        let holds = targets.any(|target| target.to_str().is_some_and(|target| sockets.contains(target)));
        if holds && number != but {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(format!("{} ({number})", name.trim_end()));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_socket_of_this_machine_is_found_with_its_process() {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = below(Path::new("/proc"), Ipv6Addr::LOCALHOST, port, 0);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with(&format!(" ({})", std::process::id())), "{found:?}");
        assert_eq!(of(Ipv6Addr::LOCALHOST, port), [""; 0], "it is our own");
        assert_eq!(below(Path::new("/proc"), "fd39::1".parse().unwrap(), port, 0), [""; 0]);
    }

    #[test]
    fn who_receives_at_every_address_holds_the_port_and_who_is_connected_does_not() {
        let proc = std::env::temp_dir().join(format!("listeners-{}", std::process::id()));
        let any = "00000000000000000000000000000000";
        let line = |state: &str, inode: u32| {
            format!(
                "   0: {any}:0035 {any}:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 2\n"
            )
        };
        fs::create_dir_all(proc.join("self/net")).unwrap();
        fs::write(
            proc.join("self/net/tcp6"),
            format!("head\n{}{}", line("0A", 7), line("01", 8)),
        )
        .unwrap();
        for (process, inode) in [(11, 7), (12, 8)] {
            let folder = proc.join(process.to_string());
            fs::create_dir_all(folder.join("fd")).unwrap();
            fs::write(folder.join("comm"), "named\n").unwrap();
            symlink(format!("socket:[{inode}]"), folder.join("fd/3")).unwrap();
        }
        let found = below(&proc, "fd39::1".parse().unwrap(), 53, 0);
        let other = below(&proc, "fd39::1".parse().unwrap(), 54, 0);
        fs::remove_dir_all(&proc).unwrap();
        assert_eq!((found, other), (vec!["named (11)".to_owned()], Vec::new()));
    }
}
