//! Clients behind a switch with a relay agent, at a port of the link's own bridge that is trusted to relay.
//!
//! ```text
//!   br0 ── p-switch ── eth0 ┐
//!                           sw ── p-client ── eth0 of the client: its DHCPv6 is relayed, all else is bridged
//!                           │
//!                           └ agent: the relay agent, at an address and a link-layer address of its own
//! ```

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};

use orchestrator_lab::{Daemon, Dhclient, Lab, Namespace, Program, wait_for};

use super::honest::{nothing_is_counted, plan, speak};
use super::stage::counted;
use crate::site::{BINARY, PATIENCE, PREFIX, Site, address, at_the_door};

/// What a switch with a relay agent does: clients' DHCPv6 goes to the agent and no further.
const NO_DHCP: &str = "table bridge sw { chain forward { type filter hook forward priority 0; \
                       oifname eth0 iifname \"p-*\" udp dport 547 drop; };}";

/// A site whose bridge has a switch with a relay agent at the port `p-switch`.
struct Switched {
    site: Site,
    switch: Namespace,
    _agent: Program,
}

impl Switched {
    /// `lines` are those of the link.
    fn start(lines: &str) -> Self {
        let plan = plan(lines, "");
        let lab = Lab::new().unwrap();
        let host = lab.namespace("host").unwrap();
        let settings = |place: &str| plan.pieces(place).with("[source.listener]\nrelays = [\"br0\"]").text();
        let mut daemon = Daemon::start(&host, BINARY.as_ref(), settings).unwrap();
        daemon.wait_until_ready(PATIENCE).unwrap();
        let site = Site { lab, host, daemon };
        site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
        let switch = site.machine("switch");
        for words in [
            "link add sw type bridge mcast_snooping 0".to_owned(),
            "link set eth0 master sw".to_owned(),
            "link add agent type veth peer name to-agent".to_owned(),
            "link set to-agent master sw up".to_owned(),
            "link set agent up".to_owned(),
            "link set sw up".to_owned(),
            format!("address add {PREFIX}::3/64 dev agent nodad"),
            format!("address add {PREFIX}::4/128 dev sw nodad"),
        ] {
            switch.ip(&words).unwrap();
        }
        switch.run("nft", &[NO_DHCP]).unwrap();
        let mut command = switch.command("dhcrelay");
        command.args(["-6", "-d", "--no-pid", "-I", "-l", "sw", "-u", "agent"]);
        let mut agent = Program::start(command, &site.lab.directory().join("dhcrelay.log")).unwrap();
        agent
            .poll("the relay to listen", PATIENCE, || switch.has_udp(547).then_some(()))
            .unwrap();
        Self {
            site,
            switch,
            _agent: agent,
        }
    }

    /// A machine at a port of the switch.
    fn machine(&self, name: &str) -> Namespace {
        let machine = self.site.lab.namespace(name).unwrap();
        machine.disable_dad().unwrap();
        machine
            .connect("eth0", &self.switch, &format!("p-{name}"), Some("sw"))
            .unwrap();
        machine
    }

    fn policy(&self, arguments: &[&str]) -> String {
        let output = self.site.daemon.cli(&[&["policy"], arguments].concat()).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A datagram from an address, which need not be the machine's own, to the host.
fn forge(machine: &Namespace, from: Ipv6Addr) {
    machine
        .ip(&format!("-6 address replace {from}/128 dev eth0 nodad"))
        .unwrap();
    let host = SocketAddrV6::new(format!("{PREFIX}::1").parse().unwrap(), 9, 0, 0);
    let send = || {
        let socket = UdpSocket::bind((from, 0))?;
        socket.send_to(b"forged", host)
    };
    machine.once_routed(PATIENCE, send).unwrap();
}

#[test]
fn a_client_behind_a_trusted_relay_agent_has_its_instance_its_front_door_and_its_own_address_alone() {
    let front = format!("{PREFIX}::d0");
    let lines = format!("relay_ports = [\"p-switch\"]\nfront_door = \"{front}\"");
    let switched = Switched::start(&lines);
    let site = &switched.site;
    let client = switched.machine("client");
    let mut dhclient = Dhclient::boot(&client, "eth0").unwrap();
    let leased = dhclient.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let place = site.lease(leased).unwrap()["granted_to"].clone();
    assert_eq!(
        (&place["relay"], &place["port"]),
        (&format!("{PREFIX}::3").into(), &"p-switch".into()),
        "{place:#}"
    );
    speak(site, &client, leased, &instance);
    let door: Ipv6Addr = front.parse().unwrap();
    assert_eq!(at_the_door(&client, door), "an instance\n");
    nothing_is_counted(site);
    let id = instance["client"].as_str().unwrap();
    let said = switched.policy(&[id, "--to", instance["id"].as_str().unwrap()]);
    assert!(said.contains("allowed: its own instance"), "{said}");

    // Addresses that are not the client's, and the client's from another machine behind the same port.
    let thief = switched.machine("thief");
    let free = format!("{PREFIX}::77").parse().unwrap();
    for (machine, from) in [(&client, free), (&client, address(&instance)), (&thief, leased)] {
        let before = counted(&site.host, "source|place|neighbor");
        forge(machine, from);
        wait_for("a forged packet to be counted", PATIENCE, || {
            (counted(&site.host, "source|place|neighbor") > before).then_some(())
        });
        machine.ip(&format!("-6 address del {from}/128 dev eth0")).unwrap();
    }
    speak(site, &client, leased, &instance);
    dhclient.release().unwrap();
    wait_for("the release", PATIENCE, || {
        (site.lease(leased)?["state"] == "released").then_some(())
    });
}

/// The agent's messages pass, since the port is not checked for them, and no packet of its clients is bound.
#[test]
fn a_client_behind_a_relay_agent_at_a_port_that_is_not_for_relays_is_told_that_nothing_is_bound() {
    let switched = Switched::start("router_ports = [\"p-switch\"]\nenforce = false");
    let site = &switched.site;
    let client = switched.machine("client");
    let leased = Dhclient::boot(&client, "eth0").unwrap().address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let id = instance["client"].as_str().unwrap();
    for said in [
        switched.policy(&[id]),
        switched.policy(&[id, "--to", instance["id"].as_str().unwrap()]),
    ] {
        assert!(
            said.contains("nothing is bound to the client") && said.contains("not in relay_ports"),
            "{said}"
        );
        assert!(!said.contains("nothing would have been dropped"), "{said}");
    }
}
