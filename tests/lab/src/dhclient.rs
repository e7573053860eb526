//! ISC dhclient, a real DHCPv6 client.

use std::fs::{self, Permissions};
use std::net::Ipv6Addr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::machine::Machine;
use crate::namespace::output;
use crate::{Namespace, Program, lease};

const SCRIPT: &str = include_str!("dhclient.sh");

/// How long dhclient may take to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client on one interface. Killed when dropped, without a word to the server.
///
/// Its DUID comes from the interface's link-layer address: booted again on the same interface, it is the same client.
pub struct Dhclient {
    namespace: Namespace,
    interface: String,
    asks_for: &'static [&'static str],
    program: Program,
    /// Has dhclient's own directories, with the lab's files in them: AppArmor lets it use no others.
    machine: Machine,
}

impl Dhclient {
    /// Boots a client that remembers nothing, on an interface without a lease: it begins with a Solicit.
    ///
    /// # Errors
    ///
    /// When dhclient does not start.
    pub fn boot(namespace: &Namespace, interface: &str) -> Result<Self> {
        Self::boot_with(namespace, interface, "")
    }

    /// [`Dhclient::boot`] with statements of dhclient.conf, such as `send fqdn.fqdn "laptop";`.
    ///
    /// # Errors
    ///
    /// When dhclient does not start.
    pub fn boot_with(namespace: &Namespace, interface: &str, configuration: &str) -> Result<Self> {
        Self::boot_for(&[], namespace, interface, configuration)
    }

    /// Boots a client that asks for a delegated prefix and for no address. It takes the first address of the prefix.
    ///
    /// # Errors
    ///
    /// When dhclient does not start.
    pub fn boot_for_prefix(namespace: &Namespace, interface: &str) -> Result<Self> {
        namespace.ip("link set lo up")?;
        Self::boot_for(&["-P"], namespace, interface, "")
    }

    fn boot_for(
        asks_for: &'static [&'static str],
        namespace: &Namespace,
        interface: &str,
        configuration: &str,
    ) -> Result<Self> {
        lease::forget(namespace, interface)?;
        let directories = ["empty:/etc/dhcp", "empty:/var/lib/dhcp", "empty:/run"];
        let machine = Machine::start(namespace, "dhclient", &directories)?;
        let etc = machine.private("/etc/dhcp");
        fs::write(etc.join("dhclient.conf"), configuration)?;
        fs::write(etc.join("dhclient-script"), SCRIPT)?;
        fs::set_permissions(etc.join("dhclient-script"), Permissions::from_mode(0o755))?;
        let program = launch(&machine, interface, asks_for)?;
        Ok(Self {
            namespace: namespace.clone(),
            interface: interface.to_owned(),
            asks_for,
            program,
            machine,
        })
    }

    /// Ends without a word to the server, as by a power cut, and boots again with the lease it remembers: it begins
    /// with a Confirm.
    ///
    /// # Errors
    ///
    /// When dhclient does not start.
    pub fn reboot(&mut self) -> Result<()> {
        self.program.kill9();
        lease::forget(&self.namespace, &self.interface)?;
        self.program = launch(&self.machine, &self.interface, self.asks_for)?;
        Ok(())
    }

    /// The leased address, as soon as it is on the interface and duplicate address detection has found nobody else.
    ///
    /// # Errors
    ///
    /// When there is none within `limit`; with the end of the client's log.
    pub fn address(&mut self, limit: Duration) -> Result<Ipv6Addr> {
        lease::wait_for(&mut self.program, &self.namespace, &self.interface, limit)
    }

    /// The address that it took from its delegated prefix.
    ///
    /// # Errors
    ///
    /// When there is none within `limit`; with the end of the client's log.
    pub fn address_in_prefix(&mut self, limit: Duration) -> Result<Ipv6Addr> {
        let namespace = &self.namespace;
        self.program.poll("an address of a delegated prefix", limit, || {
            let addresses = namespace.addresses("lo").ok()?;
            addresses.iter().map(|address| address.ip).find(|ip| !ip.is_loopback())
        })
    }

    /// Gives the lease back (Release) and ends.
    ///
    /// # Errors
    ///
    /// When dhclient fails.
    pub fn release(&mut self) -> Result<()> {
        output(&mut command(&self.machine, &self.interface, "-r", self.asks_for))?;
        self.program.wait(PATIENCE)?;
        lease::wait_until_gone(&self.namespace, &self.interface, PATIENCE)
    }

    /// Kills it, without a word to the server: the lease runs on until it expires.
    pub fn kill9(&mut self) {
        self.program.kill9();
    }

    /// What it remembers of its leases, the options that came with them among it, as dhclient.leases(5) has it.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn leases(&self) -> Result<String> {
        Ok(fs::read_to_string(
            self.machine.private("/var/lib/dhcp").join("dhclient6.leases"),
        )?)
    }

    /// The running program: its log, its process id, its end.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }
}

fn launch(machine: &Machine, interface: &str, asks_for: &[&str]) -> Result<Program> {
    let log = machine.place().join("dhclient.log");
    Program::start(command(machine, interface, "-d", asks_for), &log)
}

fn command(machine: &Machine, interface: &str, verb: &str, asks_for: &[&str]) -> Command {
    let mut command = machine.command("dhclient");
    command.args(["-6", "-v", "-D", "LL", verb]);
    command.args(asks_for);
    command.args(["-sf", "/etc/dhcp/dhclient-script", interface]);
    command
}
