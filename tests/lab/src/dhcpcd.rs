//! dhcpcd, a real DHCPv6 client. It asks only after a router advertisement with the M flag.

use std::fs;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::machine::Machine;
use crate::{Namespace, Program, lease};

/// How long dhcpcd may take to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client on one interface. Killed when dropped, without a word to the server.
///
/// Its DUID comes from the interface's link-layer address: booted again on the same interface, it is the same client.
pub struct Dhcpcd {
    namespace: Namespace,
    interface: String,
    program: Program,
    /// Keeps its state in the lab and its hands off the machine's `/etc`.
    _machine: Machine,
}

impl Dhcpcd {
    /// Boots a client that remembers nothing, on an interface without a lease.
    ///
    /// # Errors
    ///
    /// When dhcpcd does not start.
    pub fn boot(namespace: &Namespace, interface: &str) -> Result<Self> {
        Self::boot_with(namespace, &[interface], "")
    }

    /// Boots a client on the first of these interfaces, with lines for its configuration; it may use the others for what
    /// it is delegated.
    ///
    /// # Errors
    ///
    /// When dhcpcd does not start.
    pub fn boot_with(namespace: &Namespace, interfaces: &[&str], lines: &str) -> Result<Self> {
        let interface = interfaces.first().context("no interface to boot on")?;
        lease::forget(namespace, interface)?;
        let machine = Machine::start(
            namespace,
            "dhcpcd",
            &["copy:/etc", "empty:/run", "empty:/var/lib/dhcpcd"],
        )?;
        let conf = machine.place().join("conf");
        let common = "duid ll\nipv6only\nnohook resolv.conf, hostname\noption dhcp6_rapid_commit\n";
        fs::write(&conf, format!("{common}{lines}\n"))?;
        let mut command = machine.command("dhcpcd");
        command
            .args(["--nobackground", "--debug", "--config"])
            .arg(&conf)
            .args(interfaces);
        let program = Program::start(command, &machine.place().join("dhcpcd.log"))?;
        Ok(Self {
            namespace: namespace.clone(),
            interface: (*interface).to_owned(),
            program,
            _machine: machine,
        })
    }

    /// The leased address, as soon as it is on the interface and duplicate address detection has found nobody else.
    ///
    /// # Errors
    ///
    /// When there is none within `limit`; with the end of the client's log.
    pub fn address(&mut self, limit: Duration) -> Result<Ipv6Addr> {
        lease::wait_for(&mut self.program, &self.namespace, &self.interface, limit)
    }

    /// Gives the lease back (Release) and ends.
    ///
    /// # Errors
    ///
    /// When dhcpcd does not end, or leaves the address.
    pub fn release(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        // A signal that comes while dhcpcd runs its hooks is lost now and then.
        while self.program.is_running() && Instant::now() < deadline {
            self.program.signal(Signal::SIGALRM)?;
            self.program.wait(Duration::from_secs(2)).ok();
        }
        self.program.wait(Duration::ZERO)?;
        lease::wait_until_gone(&self.namespace, &self.interface, PATIENCE)
    }

    /// Kills it, without a word to the server: the lease runs on until it expires.
    pub fn kill9(&mut self) {
        self.program.kill9();
    }

    /// The running program: its log, its process id, its end.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }
}
