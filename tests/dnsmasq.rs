//! The configuration for dnsmasq as it is delivered, with a real dnsmasq and a real client, while the daemon is down.
//!
//! Every event waits in the spool, in order, for a daemon to come.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use orchestrator::source::dnsmasq::{DnsmasqEvent, DnsmasqVerb, Spool};
use orchestrator_lab::{Dhclient, Lab, Namespace, Program, wait_for};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A dnsmasq with the delivered configuration, and the spool that its hook writes.
struct Place {
    directory: PathBuf,
    host: Namespace,
}

impl Place {
    fn new(host: Namespace) -> Self {
        let directory = host.lab().place("dnsmasq").unwrap();
        let delivered = Path::new(env!("CARGO_MANIFEST_DIR")).join("dnsmasq");
        let mut configuration = fs::read_to_string(delivered.join("orchestrator.conf")).unwrap();
        // Only where things are is not as delivered.
        for (installed, here) in [
            ("/usr/local/lib/orchestrator/hook", delivered.join("hook")),
            ("/var/lib/misc/orchestrator.leases", directory.join("leases")),
        ] {
            assert_eq!(configuration.matches(installed).count(), 1);
            configuration = configuration.replace(installed, here.to_str().unwrap());
        }
        fs::write(directory.join("conf"), configuration).unwrap();
        symlink(env!("CARGO_BIN_EXE_orchestrator"), directory.join("orchestrator")).unwrap();
        Self { directory, host }
    }

    fn start(&self) -> Program {
        let path = format!("{}:{}", self.directory.display(), std::env::var("PATH").unwrap());
        let mut command = self.host.command("dnsmasq");
        command
            .args(["--keep-in-foreground", "--log-facility=-"])
            .arg(format!("--conf-file={}", self.directory.join("conf").display()))
            .arg(format!("--pid-file={}", self.directory.join("pid").display()))
            .env("PATH", path)
            .env(
                "ORCHESTRATOR_API",
                format!("unix:{}", self.directory.join("api.sock").display()),
            )
            .env("ORCHESTRATOR_SPOOL", self.directory.join("spool"));
        let mut dnsmasq = Program::start(command, &self.directory.join("log")).unwrap();
        dnsmasq
            .poll("dnsmasq to serve", PATIENCE, || self.host.has_udp(547).then_some(()))
            .unwrap();
        dnsmasq
    }

    /// The spooled events, once there are `count` of them.
    fn events(&self, count: usize) -> Vec<DnsmasqEvent> {
        let spool = Spool::new(self.directory.join("spool"));
        wait_for("the events to be kept", PATIENCE, || {
            let events: Vec<DnsmasqEvent> = spool.pending(99).unwrap().into_iter().map(|kept| kept.event).collect();
            (events.len() >= count).then_some(events)
        })
    }
}

#[test]
fn every_event_of_a_lease_is_kept_in_order() {
    let lab = Lab::new().unwrap();
    let host = lab.namespace("host").unwrap();
    host.bridge("br0", Some("fd39:9706:2786:6333::1/64")).unwrap();
    let client = lab.namespace("client").unwrap();
    client.connect("eth0", &host, "port0", Some("br0")).unwrap();
    // dhclient makes its IAID of the last four bytes, and cannot read its own lease where all of them are printable
    // and one is a quote or a backslash: a random address would do that one time in six hundred.
    client.ip("link set eth0 address 02:00:00:00:00:01").unwrap();

    let place = Place::new(host);
    let mut dnsmasq = place.start();
    let mut dhclient = Dhclient::boot(&client, "eth0").unwrap();
    let address = dhclient.address(PATIENCE).unwrap();
    place.events(1);
    dnsmasq.signal(Signal::SIGHUP).unwrap();
    place.events(2);
    dnsmasq.stop(PATIENCE).unwrap();
    let _dnsmasq = place.start();
    // A restart tells every lease twice.
    place.events(4);
    dhclient.release().unwrap();

    let events = place.events(5);
    let verbs: Vec<DnsmasqVerb> = events.iter().map(|event| event.verb).collect();
    use DnsmasqVerb::{Add, Del, Old};
    assert_eq!(verbs, [Add, Old, Old, Old, Del]);
    for event in &events {
        assert_eq!((event.address, event.interface.as_str()), (address, "br0"));
        assert_eq!((&event.duid, event.expires), (&events[0].duid, events[0].expires));
    }
    assert_eq!(events[0].remaining, Some(3600));
}
