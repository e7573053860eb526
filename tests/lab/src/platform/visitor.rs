//! A machine on the link: it has a lease, and asks the daemon for names.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::stage::{BRIDGE, SERVER};
use crate::machine::Machine;
use crate::namespace::output;
use crate::show::Terminal;
use crate::{Dhclient, Namespace, poll};

/// How long a lease or a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A visitor.
pub(super) struct Visitor {
    machine: Machine,
    _lease: Dhclient,
}

impl Visitor {
    /// Boots on the link of the host, and waits for its lease.
    pub(super) fn arrive(host: &Namespace, terminal: &Terminal) -> Result<Self> {
        let begun = Instant::now();
        let namespace = host.lab().namespace("visitor")?;
        namespace.connect("eth0", host, "visitor", Some(BRIDGE))?;
        let mut lease = Dhclient::boot(&namespace, "eth0")?;
        let address = lease.address(PATIENCE)?;
        let machine = Machine::start(&namespace, "visitor", &["copy:/etc"])?;
        // What the lease says, for programs that ask the C library. It may be a link to nowhere.
        let resolver = machine.private("/etc").join("resolv.conf");
        fs::remove_file(&resolver).ok();
        fs::write(&resolver, format!("nameserver {SERVER}\n"))?;
        terminal.made("visitor", &address.to_string(), begun.elapsed());
        Ok(Self { machine, _lease: lease })
    }

    pub(super) fn namespace(&self) -> &Namespace {
        self.machine.namespace()
    }

    /// The page of a name.
    pub(super) fn open(&self, name: &str) -> Result<String> {
        let url = format!("http://{name}/");
        let mut last = None;
        // The route to its link comes with a router advertisement, maybe after the address.
        let page = poll(&url, PATIENCE, || {
            let mut curl = self.machine.command("curl");
            let curl = curl.args(["--silent", "--show-error", "--fail", "--max-time", "5", &url]);
            let opened = output(curl).map(|opened| String::from_utf8_lossy(&opened.stdout).into_owned());
            opened.map_err(|fault| last = Some(fault)).ok()
        });
        match (page, last) {
            (Err(_), Some(fault)) => Err(fault),
            (page, _) => page,
        }
    }

    /// The instances of a service, with their ports.
    pub(super) fn ports(&self, name: &str) -> Result<String> {
        self.dig(&[name, "SRV"])
    }

    /// Where the name leads to over HTTP.
    pub(super) fn front(&self, name: &str) -> Result<SocketAddr> {
        let found = self.dig(&[name, "AAAA"])?;
        let first = found.lines().next().context("the name has no address")?;
        Ok((first.parse::<Ipv6Addr>()?, 80).into())
    }

    fn dig(&self, words: &[&str]) -> Result<String> {
        let mut dig = self.machine.command("dig");
        let found = output(dig.args(["+short", "+tries=3"]).args(words))?;
        Ok(String::from_utf8_lossy(&found.stdout).into_owned())
    }

    /// A command of the visitor's, as it is typed in a shell.
    pub(super) fn shown_command(&self, words: &[&str]) -> String {
        let mut command = self.machine.command(words.first().copied().unwrap_or_default());
        command.args(words.iter().skip(1));
        let all = std::iter::once(command.get_program()).chain(command.get_args());
        let all: Vec<_> = all.map(|word| word.to_string_lossy().into_owned()).collect();
        all.join(" ")
    }
}
