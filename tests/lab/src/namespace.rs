//! A network namespace of the lab: a machine's network without the machine.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use crate::http::{self, Answer};
use crate::{Address, Lab, poll};

/// A named network namespace, with `lo` up. Removed with the lab.
#[derive(Clone)]
pub struct Namespace {
    lab: Lab,
    name: String,
    path: PathBuf,
}

impl Namespace {
    pub(crate) fn create(lab: &Lab, name: &str) -> Result<Self> {
        let name = format!("{}-{name}", lab.id());
        output(lab.command("ip").args(["netns", "add", &name]))?;
        let namespace = Self {
            lab: lab.clone(),
            path: Path::new("/run/netns").join(&name),
            name,
        };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// The lab it is in.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Its name for `ip netns exec` and `ip -n`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs in the namespace and belongs to the lab. The child's process id is the program's own.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.lab.command("nsenter");
        command
            .arg(format!("--net={}", self.path.display()))
            .arg("--")
            .arg(program);
        command
    }

    /// Runs a program in the namespace to its end; its standard output comes back.
    ///
    /// # Errors
    ///
    /// When it does not start or does not succeed, with what it wrote to standard error.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = output(self.command(program).args(arguments))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs `ip` with these arguments, separated by spaces.
    ///
    /// # Errors
    ///
    /// When `ip` fails, with what it says.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        self.run("ip", &arguments.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `ip -json` with these arguments, separated by spaces.
    ///
    /// # Errors
    ///
    /// When `ip` fails, or answers something else.
    pub fn ip_json(&self, arguments: &str) -> Result<Value> {
        let text = self.ip(&format!("-json {arguments}"))?;
        // Where it has nothing to show, `ip` may print nothing at all.
        let text = if text.trim().is_empty() { "[]" } else { &text };
        serde_json::from_str(text).with_context(|| format!("`ip -json {arguments}` did not answer JSON: {text:?}"))
    }

    /// Runs `work` on a thread that is in the namespace: sockets it makes are the namespace's for good.
    ///
    /// # Panics
    ///
    /// When `work` does, or when the namespace is gone.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let joined = thread::scope(|scope| {
            scope
                .spawn(|| {
                    let file = File::open(&self.path).expect("the namespace's file opens");
                    setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter the lab's namespace");
                    work()
                })
                .join()
        });
        joined.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Sets a sysctl of the namespace: `net.ipv6.conf.all.forwarding`, say.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it does not take the value.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        self.within(|| fs::write(&path, value))
            .with_context(|| format!("cannot write {value:?} to {path}"))
    }

    /// Switches duplicate address detection off for interfaces that are made from now on: it costs each address a
    /// second or two, and in a lab nobody else has it.
    ///
    /// # Errors
    ///
    /// When the sysctl cannot be written.
    pub fn disable_dad(&self) -> Result<()> {
        // `all` would count for the interfaces there are; `default` is what new ones begin with.
        self.sysctl("net.ipv6.conf.default.accept_dad", "0")
    }

    /// Makes a bridge, up, with an address such as `fd00::1/64` if one is given.
    ///
    /// # Errors
    ///
    /// When `ip` fails.
    pub fn bridge(&self, name: &str, address: Option<&str>) -> Result<()> {
        self.ip(&format!("link add {name} type bridge mcast_snooping 0"))?;
        if let Some(address) = address {
            self.ip(&format!("address add {address} dev {name} nodad"))?;
        }
        self.ip(&format!("link set {name} up"))?;
        Ok(())
    }

    /// Lays a cable: a veth pair with the end `here` in this namespace and `there` in the other, both up.
    /// The other end becomes a port of the bridge `master` if one is given.
    ///
    /// # Errors
    ///
    /// When `ip` fails: a name is taken, or there is no such bridge.
    pub fn connect(&self, here: &str, other: &Namespace, there: &str, master: Option<&str>) -> Result<()> {
        self.ip(&format!(
            "link add {here} address {} type veth peer name {there} netns {}",
            next_mac(),
            other.name
        ))?;
        if let Some(master) = master {
            other.ip(&format!("link set {there} master {master}"))?;
        }
        other.ip(&format!("link set {there} up"))?;
        self.ip(&format!("link set {here} up"))?;
        Ok(())
    }

    /// The IPv6 addresses of an interface, apart from link-local ones. Cheap enough to be asked again and again.
    ///
    /// # Errors
    ///
    /// When the kernel's table cannot be read.
    pub fn addresses(&self, interface: &str) -> Result<Vec<Address>> {
        // `/proc/net` is the process's; a thread in another namespace has its own.
        let table = self.within(|| fs::read_to_string("/proc/thread-self/net/if_inet6"))?;
        let addresses = table.lines().filter_map(Address::parse);
        Ok(addresses
            .filter(|(name, address)| *name == interface && !address.ip.is_unicast_link_local())
            .map(|(_, address)| address)
            .collect())
    }

    /// Whether a UDP socket of the namespace is bound to `port`, over IPv6.
    pub fn has_udp(&self, port: u16) -> bool {
        // `/proc/net` is the process's; a thread in another namespace has its own.
        let table = self
            .within(|| fs::read_to_string("/proc/thread-self/net/udp6"))
            .unwrap_or_default();
        let bound = format!(":{port:04X}");
        table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1))
            .any(|local| local.ends_with(&bound))
    }

    /// Connects from within the namespace. A host learns the way to its link from a router advertisement, which may come
    /// after its lease and after its instance is ready. So this waits for a route.
    ///
    /// # Errors
    ///
    /// When there is no route, or nobody answers, within `limit`.
    pub fn tcp(&self, address: Ipv6Addr, port: u16, limit: Duration) -> Result<TcpStream> {
        let address = SocketAddr::from((address, port));
        let connected = self.once_routed(limit, || TcpStream::connect_timeout(&address, limit));
        connected.with_context(|| format!("cannot connect to {address}"))
    }

    /// Does within the namespace what needs a route, again and again until there is one.
    ///
    /// # Errors
    ///
    /// What `connect` says, which is that the network is unreachable when there is no route within `limit`.
    pub fn once_routed<T: Send>(&self, limit: Duration, connect: impl Fn() -> io::Result<T> + Sync) -> io::Result<T> {
        let has_route = |fault: &io::Error| fault.kind() != io::ErrorKind::NetworkUnreachable;
        let connected = poll("a route", limit, || {
            let connected = self.within(&connect);
            connected.as_ref().map_or_else(has_route, |_| true).then_some(connected)
        });
        connected.unwrap_or_else(|_| Err(io::ErrorKind::NetworkUnreachable.into()))
    }

    /// Gets a page over plain HTTP from within the namespace.
    ///
    /// # Errors
    ///
    /// When nobody answers within 10 s, or not in HTTP.
    pub fn get(&self, address: Ipv6Addr, port: u16, path: &str) -> Result<Answer> {
        let limit = Duration::from_secs(10);
        let stream = self.tcp(address, port, limit)?;
        stream.set_read_timeout(Some(limit))?;
        http::exchange(stream, "GET", path, None).with_context(|| format!("no page http://[{address}]:{port}{path}"))
    }
}

/// Runs a command to its end.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        said.trim()
    );
    Ok(output)
}

/// A link-layer address that no other cable of this process has.
///
/// dhclient makes its IAID of the last four octets, writes it down as text where it can, and cannot read back a text
/// with a quote or a backslash: it never releases such a lease. None of these octets is printable.
fn next_mac() -> String {
    static CABLES: AtomicU16 = AtomicU16::new(0);
    let number = CABLES.fetch_add(1, Ordering::Relaxed);
    // Four bits an octet, so that none of them is printable.
    let [a, b, c, d] = [12, 8, 4, 0].map(|shift| 0x80 | (number >> shift & 0x0f));
    format!("02:5e:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}
