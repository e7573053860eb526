//! dnsmasq as a DHCPv6 server, with router advertisements or without.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::{Namespace, Program};

/// How long dnsmasq may take to start or stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// UDP port on which DHCPv6 servers and relays listen (RFC 9915, section 7.2).
const SERVER_PORT: u16 = 547;

/// A running dnsmasq. Killed when dropped.
pub struct Dnsmasq {
    namespace: Namespace,
    place: PathBuf,
    arguments: Vec<String>,
    program: Program,
}

impl Dnsmasq {
    /// Starts dnsmasq and waits until it serves DHCPv6. It reads no configuration but `arguments`, serves no DNS, and
    /// keeps its leases in the lab.
    ///
    /// # Errors
    ///
    /// When it does not serve; with the end of its log.
    pub fn start(namespace: &Namespace, arguments: &[&str]) -> Result<Self> {
        let place = namespace.lab().place("dnsmasq")?;
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let program = launch(namespace, &place, &arguments)?;
        Ok(Self {
            namespace: namespace.clone(),
            place,
            arguments,
            program,
        })
    }

    /// The running program: its log, its process id, its end.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Makes it read its files again, and tell its script about every lease (SIGHUP).
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn reload(&mut self) -> Result<()> {
        self.program.signal(Signal::SIGHUP)
    }

    /// Stops it and starts it again with the leases it had.
    ///
    /// # Errors
    ///
    /// When it does not stop, or does not serve again.
    pub fn restart(&mut self) -> Result<()> {
        self.program.stop(PATIENCE)?;
        self.program = launch(&self.namespace, &self.place, &self.arguments)?;
        Ok(())
    }
}

fn launch(namespace: &Namespace, place: &Path, arguments: &[String]) -> Result<Program> {
    let file = |name: &str| place.join(name).display().to_string();
    let mut command = namespace.command("dnsmasq");
    command.args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--port=0",
        "--log-facility=-",
    ]);
    command.arg(format!("--pid-file={}", file("pid")));
    command.arg(format!("--dhcp-leasefile={}", file("leases")));
    command.args(arguments);
    let mut program = Program::start(command, &place.join("dnsmasq.log"))?;
    program.poll("dnsmasq to serve DHCPv6", PATIENCE, || {
        namespace.has_udp(SERVER_PORT).then_some(())
    })?;
    Ok(program)
}
