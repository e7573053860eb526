//! The files in `/etc` that belong to the engine: name servers and names.

use std::fmt::Write;
use std::path::Path;

use crate::state::Record;

/// A file that is mounted in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EtcFile {
    /// Its name in the bundle.
    pub(crate) name: &'static str,
    /// Its path inside.
    pub(crate) target: &'static str,
    /// What it says at the first start.
    pub(crate) content: String,
}

const HOSTS: &str = "\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// The files of a container. `host_resolver` is `/etc/resolv.conf` of the host, for containers without one of their own.
/// A file that the specification itself has is left out.
pub(crate) fn etc_files(record: &Record, host_resolver: &str) -> Vec<EtcFile> {
    let file = |name, target, content| EtcFile { name, target, content };
    let all = [
        file("hostname", "/etc/hostname", format!("{}\n", record.spec.hostname)),
        file("hosts", "/etc/hosts", HOSTS.to_owned()),
        file("resolv.conf", "/etc/resolv.conf", resolver(record, host_resolver)),
    ];
    let is_ours = |file: &EtcFile| {
        !record
            .spec
            .files
            .iter()
            .any(|of_spec| of_spec.target.as_path() == Path::new(file.target))
    };
    all.into_iter().filter(is_ours).collect()
}

fn resolver(record: &Record, host_resolver: &str) -> String {
    let Some(resolver) = &record.spec.resolver else {
        return host_resolver.to_owned();
    };
    let mut text = String::new();
    for server in &resolver.servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !resolver.search.is_empty() {
        let _ = writeln!(text, "search {}", resolver.search.join(" "));
    }
    text
}
