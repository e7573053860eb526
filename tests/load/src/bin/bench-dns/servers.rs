//! The servers, with the same names each.

use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orchestrator_lab::{Daemon, Lab, Link, Namespace, PREFIX, Program, Settings, poll};
use serde_json::json;

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Ours,
    Knot,
    Dnsmasq,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Knot, Self::Dnsmasq];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "orchestrator",
            Self::Knot => "knotd",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Ours => 5301,
            Self::Knot => 5302,
            Self::Dnsmasq => 5303,
        }
    }
}

/// The name with this number.
pub(crate) fn name(number: u32) -> String {
    format!("c{number}.client.home.arpa")
}

/// Its address.
pub(crate) fn address(number: u32) -> String {
    format!("{PREFIX}::1:{number:x}")
}

/// The machine of all servers.
pub(crate) struct Site {
    daemon: Daemon,
    /// The process of the daemon.
    ours: u32,
    knot: Program,
    dnsmasq: Program,
    host: Namespace,
}

impl Site {
    /// Starts all servers with so many names, and waits until each answers.
    pub(crate) fn start(lab: &Lab, binary: &Path, names: u32) -> Result<Self> {
        let host = lab.namespace("host")?;
        let link = Link::new("br0")
            .source("dnsmasq")
            .lines("router_advertisements = false\n");
        let listen = format!("[dns]\nlisten = [\"[::1]:{}\"]\n", Kind::Ours.port());
        let settings = |place: &str| Settings::new(place).spool().link(link).with(&listen).text();
        let mut daemon = Daemon::start(&host, binary, settings)?;
        daemon.wait_until_ready(LIMIT)?;
        let ours = daemon.program().pid();
        host.run("taskset", &["-a", "-c", "-p", "0", &ours.to_string()])?;
        let site = Self {
            daemon,
            ours,
            knot: knot(lab, &host, names)?,
            dnsmasq: dnsmasq(lab, &host, names)?,
            host,
        };
        for number in 1..=names {
            site.lease(number, &format!("c{number}"))?;
        }
        for kind in Kind::ALL {
            let port = kind.port().to_string();
            let question = [
                "@::1",
                "-p",
                &port,
                "+short",
                "+tries=1",
                "+time=1",
                &name(names),
                "AAAA",
            ];
            let expected: Ipv6Addr = address(names).parse()?;
            poll(kind.name(), LIMIT, || {
                let answer = site.host.run("dig", &question).ok()?;
                (answer.trim().parse().ok() == Some(expected)).then_some(())
            })?;
        }
        Ok(site)
    }

    pub(crate) fn host(&self) -> &Namespace {
        &self.host
    }

    /// The processor time of a server since its start.
    pub(crate) fn processor_time(&self, kind: Kind) -> Result<Duration> {
        let pid = match kind {
            Kind::Ours => self.ours,
            Kind::Knot => self.knot.pid(),
            Kind::Dnsmasq => self.dnsmasq.pid(),
        };
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let shown = fs::read_to_string(thread?.path().join("schedstat"))?;
            let on_processor = shown
                .split(' ')
                .next()
                .context("the kernel shows no time of a thread")?;
            nanoseconds += on_processor.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Records the lease of an address: it is durable when this returns.
    pub(crate) fn lease(&self, number: u32, hostname: &str) -> Result<()> {
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH)?.as_millis();
        let at = u64::try_from(now)?;
        let [high, low] = [number >> 8 & 0xff, number & 0xff];
        let event = json!({
            "version": 1,
            "verb": "add",
            "duid": format!("00:03:00:01:02:00:5e:10:{high:02x}:{low:02x}"),
            "iaid": 7,
            "address": address(number),
            "interface": "br0",
            "hostname": hostname,
            "remaining": 86_400,
            "at": timestamp(at),
        });
        let (status, answer) = self.daemon.send("POST", "/v1/hooks/dnsmasq", &event)?;
        ensure!(status < 300, "the lease of {number} is refused: {answer}");
        Ok(())
    }
}

/// Milliseconds since 1970 as the API writes times (RFC 3339).
fn timestamp(millis: u64) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // The calendar's cycle has 146,097 days in 400 years, which begin with March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + later;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z")
}

fn knot(lab: &Lab, host: &Namespace, names: u32) -> Result<Program> {
    let place = lab.place("knot")?;
    let at = |file: &str| place.join(file).display().to_string();
    let mut zone = "$TTL 5\n@ SOA ns hostmaster 1 60 10 86400 1\n@ NS ns\nns AAAA ::1\n".to_owned();
    zone.extend((1..=names).map(|number| format!("c{number}.client AAAA {}\n", address(number))));
    fs::write(at("zone"), zone)?;
    let settings = format!(
        "server:\n    rundir: {}\n    listen: ::1@{}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n\
         database:\n    storage: {}\nzone:\n  - domain: home.arpa\n    file: {}\n",
        place.display(),
        Kind::Knot.port(),
        place.display(),
        at("zone"),
    );
    fs::write(at("knot.conf"), settings)?;
    let mut command = host.command("taskset");
    command.args(["-c", "0", "knotd", "-c"]).arg(at("knot.conf"));
    Program::start(command, &place.join("knotd.log"))
}

fn dnsmasq(lab: &Lab, host: &Namespace, names: u32) -> Result<Program> {
    let place = lab.place("resolver")?;
    let hosts: String = (1..=names)
        .map(|number| format!("{} {}\n", address(number), name(number)))
        .collect();
    fs::write(place.join("hosts"), hosts)?;
    let mut command = host.command("taskset");
    command.args([
        "-c",
        "0",
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
    ]);
    command.args([
        "--no-resolv",
        "--no-hosts",
        "--listen-address=::1",
        "--bind-interfaces",
        "--local=/home.arpa/",
    ]);
    command.args(["--log-facility=/dev/null", "--pid-file"]);
    command.arg(format!("--port={}", Kind::Dnsmasq.port()));
    command.arg(format!("--addn-hosts={}", place.join("hosts").display()));
    Program::start(command, &place.join("dnsmasq.log"))
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn times_are_written_as_the_api_reads_them() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(timestamp(1_795_908_554_000), "2026-11-28T23:29:14.000Z");
    }
}
