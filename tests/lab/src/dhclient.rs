//! ISC dhclient, a real DHCPv6 client.

use std::fs::{self, Permissions};
use std::net::Ipv6Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

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
    place: PathBuf,
    program: Program,
}

impl Dhclient {
    /// Boots a client that remembers nothing: it begins with a Solicit.
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
        let place = namespace.lab().place("dhclient")?;
        fs::write(place.join("conf"), configuration)?;
        fs::write(place.join("leases"), "")?;
        let script = place.join("script");
        fs::write(&script, SCRIPT)?;
        fs::set_permissions(&script, Permissions::from_mode(0o755))?;
        let (namespace, interface) = (namespace.clone(), interface.to_owned());
        let command = command(&namespace, &interface, &place, "-d");
        let program = Program::start(command, &place.join("dhclient.log"))?;
        Ok(Self {
            namespace,
            interface,
            place,
            program,
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
        self.namespace
            .ip(&format!("-6 address flush dev {} scope global", self.interface))?;
        let command = command(&self.namespace, &self.interface, &self.place, "-d");
        self.program = Program::start(command, &self.place.join("dhclient.log"))?;
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

    /// Gives the lease back (Release) and ends.
    ///
    /// # Errors
    ///
    /// When dhclient fails.
    pub fn release(&mut self) -> Result<()> {
        output(&mut command(&self.namespace, &self.interface, &self.place, "-r"))?;
        self.program.wait(PATIENCE)?;
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

fn command(namespace: &Namespace, interface: &str, place: &Path, verb: &str) -> Command {
    let mut command = namespace.command("dhclient");
    command.args(["-6", "-v", "-D", "LL", verb]);
    for (option, name) in [("-cf", "conf"), ("-lf", "leases"), ("-pf", "pid"), ("-sf", "script")] {
        command.arg(option).arg(place.join(name));
    }
    command.arg(interface);
    command
}
