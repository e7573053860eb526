//! Reads what a HAProxy has in force.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv6Addr, SocketAddrV6};

use super::session::ask;
use super::{Balancer, Control, RuntimeFault};
use crate::actual::{Actual, ActualServer, Admin};
use crate::config::{LIST, Layout};
use crate::name::{BackendId, CertificateName, MapKey, ServerName};
use crate::step::MapName;

const DOING: &str = "say what it has in force";
/// What begins the description of a configuration of ours.
const OURS: &str = "orchestrator-";

/// Reads everything.
pub(super) async fn read(balancer: &dyn Balancer, layout: &Layout) -> Result<Actual, RuntimeFault> {
    let question = async |command: &str| ask(balancer, Control::Worker, command, DOING).await;
    let mut actual = Actual {
        frame: frame(&question("show info").await?),
        ..Actual::default()
    };
    if actual.frame.is_empty() {
        return Ok(actual);
    }
    for id in backends(&question("show backend").await?) {
        let size = actual.sizes.entry(id.kind).or_default();
        *size = (*size).max(id.number.saturating_add(1));
    }
    servers(&question("show servers state").await?, &mut actual);
    sessions(&question("show stat -1 4 -1").await?, &mut actual);
    let map = async |map: MapName| question(&format!("show map {}", layout.path(map.file()))).await;
    let keys = |map: BTreeMap<String, String>| {
        let each = map.into_iter();
        each.map(|(key, value)| (MapKey::as_reported(&key), value)).collect()
    };
    actual.plain = keys(entries(&map(MapName::Plain).await?));
    actual.encrypted = keys(entries(&map(MapName::Encrypted).await?));
    actual.challenges = entries(&map(MapName::Challenges).await?);
    actual.certificates = certificates(&question("show ssl cert").await?);
    actual.shown = shown(&question(&format!("show ssl crt-list -n {}", layout.path(LIST))).await?);
    Ok(actual)
}

/// How many workers that were replaced by a reload still have connections.
pub(super) async fn old_workers(balancer: &dyn Balancer) -> Result<usize, RuntimeFault> {
    let answer = ask(balancer, Control::Master, "show proc", DOING).await?;
    let old = answer.split("# old workers").nth(1).unwrap_or_default();
    let until_next = old.split("\n#").next().unwrap_or_default();
    Ok(until_next.lines().filter(|line| line.contains("worker")).count())
}

fn frame(info: &str) -> String {
    let mut lines = info.lines();
    let found = lines.find_map(|line| line.strip_prefix("description: ")?.trim().strip_prefix(OURS));
    found.unwrap_or_default().to_owned()
}

fn backends(answer: &str) -> impl Iterator<Item = BackendId> {
    answer.lines().filter_map(|line| line.trim().parse().ok())
}

/// The rows of a table whose columns are named in a line that begins with `# `.
fn table(answer: &str, separator: char) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    let header = answer
        .lines()
        .find_map(|line| line.strip_prefix("# "))
        .unwrap_or_default();
    let names: Vec<&str> = header.split(separator).collect();
    let rows = answer
        .lines()
        .filter(move |line| !line.starts_with('#') && line.contains(separator));
    rows.map(move |line| names.iter().copied().zip(line.split(separator)).collect())
}

/// Bits of `srv_admin_state` (management guide of 2.6, section 9.3, `show servers state`).
const MAINTENANCE: u32 = 0x01 | 0x02 | 0x04 | 0x20;
const DRAIN: u32 = 0x08 | 0x10;
/// The check is enabled, in `srv_check_state`.
const CHECKED: u32 = 0x04;

fn servers(answer: &str, actual: &mut Actual) {
    for row in table(answer, ' ') {
        let text = |name| row.get(name).copied().unwrap_or_default();
        let number = |name| text(name).parse::<u32>().unwrap_or_default();
        let (Ok(backend), Ok(server)) = (
            text("be_name").parse::<BackendId>(),
            text("srv_name").parse::<ServerName>(),
        ) else {
            continue;
        };
        let address = text("srv_addr").parse().unwrap_or(Ipv6Addr::UNSPECIFIED);
        let port = text("srv_port").parse().unwrap_or_default();
        let admin = match number("srv_admin_state") {
            state if state & MAINTENANCE != 0 => Admin::Maintenance,
            state if state & DRAIN != 0 => Admin::Drain,
            _ => Admin::Ready,
        };
        let found = ActualServer {
            address: SocketAddrV6::new(address, port, 0, 0),
            admin,
            is_up: number("srv_op_state") != 0,
            is_checked: number("srv_check_state") & CHECKED != 0,
            sessions: 0,
        };
        actual.servers.entry(backend).or_default().insert(server, found);
    }
}

fn sessions(answer: &str, actual: &mut Actual) {
    for row in table(answer, ',') {
        let text = |name| row.get(name).copied().unwrap_or_default();
        let (Ok(backend), Ok(server)) = (
            text("pxname").parse::<BackendId>(),
            text("svname").parse::<ServerName>(),
        ) else {
            continue;
        };
        let found = actual
            .servers
            .get_mut(&backend)
            .and_then(|servers| servers.get_mut(&server));
        if let Some(found) = found {
            found.sessions = text("scur").parse().unwrap_or_default();
        }
    }
}

/// The entries of a map: a pointer, the key and the value in each line.
fn entries(answer: &str) -> BTreeMap<String, String> {
    let lines = answer.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let _pointer = words.next().filter(|word| word.starts_with("0x"))?;
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    });
    lines.collect()
}

/// One that is being changed, which begins with a star, counts only by its other line.
fn certificates(answer: &str) -> BTreeSet<CertificateName> {
    let files = answer.lines().filter(|line| line.starts_with('/'));
    files
        .filter_map(|line| CertificateName::as_reported(line.trim()))
        .collect()
}

fn shown(answer: &str) -> BTreeMap<CertificateName, BTreeMap<u32, BTreeSet<String>>> {
    let mut all: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for line in answer.lines() {
        let (head, hosts) = match line.split_once('[') {
            Some((head, rest)) => (head, rest.split_once(']').map_or("", |(_, hosts)| hosts)),
            None => (line, ""),
        };
        let Some((file, number)) = head.trim().rsplit_once(':') else {
            continue;
        };
        let (Some(name), Ok(number)) = (CertificateName::as_reported(file), number.parse::<u32>()) else {
            continue;
        };
        let hosts = hosts.split_whitespace().map(str::to_owned).collect();
        all.entry(name).or_default().insert(number, hosts);
    }
    all
}

#[cfg(test)]
mod tests {
    use orchestrator_model::Id;

    use super::*;
    use crate::name::Kind;

    #[test]
    fn states_and_sessions_of_servers_are_read_by_the_names_of_the_columns() {
        let state = "1\n# be_id be_name srv_name srv_addr srv_op_state srv_admin_state srv_check_state srv_port\n\
             4 spread-3 i010101010101 fd39::1 2 8 6 8080\n4 spread-3 p020202020202 fd39::2 0 1 2 8080\n4 other x ::1 0 0 0 1\n";
        let mut actual = Actual::default();
        servers(state, &mut actual);
        sessions(
            "# pxname,svname,qcur,scur,\nspread-3,i010101010101,0,7,\nspread-3,p020202020202,0,,\n",
            &mut actual,
        );
        let id = BackendId {
            kind: Kind::Spread,
            number: 3,
        };
        let of = |byte, proxy| ServerName {
            instance: Id::from_bytes([byte; 6]),
            proxy,
        };
        let first = actual.servers[&id][&of(1, false)];
        assert_eq!(
            (first.admin, first.is_up, first.is_checked, first.sessions),
            (Admin::Drain, true, true, 7)
        );
        let second = actual.servers[&id][&of(2, true)];
        assert_eq!(
            (second.admin, second.is_up, second.is_checked, second.sessions),
            (Admin::Maintenance, false, false, 0)
        );
        assert_eq!(actual.servers.len(), 1);
    }

    #[test]
    fn answers_that_make_no_sense_are_nothing() {
        for answer in [
            "",
            "\n\n",
            "Unknown command",
            "# x y\n",
            "0x1",
            "description:",
            "a [b",
            "/x:1 [",
            ":",
            "0x1 a",
        ] {
            let mut actual = Actual::default();
            servers(answer, &mut actual);
            sessions(answer, &mut actual);
            assert_eq!(actual, Actual::default(), "{answer}");
            assert!(entries(answer).is_empty() && shown(answer).is_empty() && certificates(answer).is_empty());
            assert!(frame(answer).is_empty());
        }
    }

    #[test]
    fn a_list_of_certificates_has_lines_with_names() {
        let name = "0123456789abcdef01234567";
        let list =
            format!("# /x/certificates.list\n/x/certificates/{name}.pem:2 [alpn h2,http/1.1 ] a.example *.b.example\n");
        let all = shown(&list);
        let lines = all.values().next().unwrap();
        assert_eq!(lines[&2], ["*.b.example".to_owned(), "a.example".to_owned()].into());
    }
}
