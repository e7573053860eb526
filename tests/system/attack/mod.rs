//! Attacks on the whole: a client on its machine, a process of a user in a real container, and root in a container that may
//! use raw sockets try every forbidden way. Each is dropped and counted by the daemon's rules, and gets through once the
//! rules are gone. Honest traffic passes in between.

mod beside;
mod case;
mod dhcp;
mod honest;
mod image;
mod relayed;
mod stage;
mod table;
mod tap;

use self::stage::{LONG, METADATA, Shape, Stage, Who};

/// Cases between which honest traffic is tried.
const BETWEEN: usize = 10;

impl Stage {
    /// Entries for neighbours whom the attacker's kernel would have to ask for. Attackers have them.
    fn know_neighbors(&self) {
        let known = [Who::Alice, Who::Hers, Who::Host];
        for party in known.map(|who| self.party(who)) {
            let mac = party.mac.map(|octet| format!("{octet:02x}")).join(":");
            for address in [party.address, party.link_local] {
                self.ip(
                    Who::Mallory,
                    &format!("-6 neigh replace {address} lladdr {mac} dev eth0 nud permanent"),
                );
            }
        }
    }

    fn connects(&self, from: Who, to: &str, port: u16) {
        let said = self.attack(from, &["tcp", "-", "0", to, &port.to_string(), LONG]);
        assert_eq!(said, "connected", "honest: {from:?} to {to} port {port}");
    }

    /// Somebody and his counterpart speak with each other: what was sent before has arrived or never will.
    fn barrier(&self, from: Who) {
        let to = if from == Who::Mallory { Who::User } else { Who::Mallory };
        let port = if from == Who::Mallory { 80 } else { 22 };
        self.connects(from, &self.party(to).address.to_string(), port);
    }

    /// What honest clients and instances do.
    fn honest(&self) {
        let address = |who| self.party(who).address.to_string();
        for (from, to, port) in [
            (Who::Mallory, Who::User, 80),
            (Who::Mallory, Who::Root, 80),
            (Who::Alice, Who::Hers, 80),
            (Who::User, Who::Mallory, 22),
            (Who::Hers, Who::Alice, 22),
            (Who::Alice, Who::Host, 22),
        ] {
            self.connects(from, &address(to), port);
        }
        self.connects(Who::User, METADATA, 80);
        self.clear();
        self.attack(Who::User, &["udp", "-", "0", &address(Who::Host), "53", "aabbccddeeff"]);
        orchestrator_lab::wait_for("a question for DNS", crate::site::PATIENCE, || {
            self.service.recv(&mut [0; 64]).ok()
        });
        self.attack(Who::Mallory, &["ping", &address(Who::User), "0102030405060708"]);
        assert!(
            self.party(Who::User).tap.sees(&[1, 2, 3, 4, 5, 6, 7, 8]),
            "honest: ping"
        );
    }
}

fn suite(shape: Shape, at_least: usize) {
    let mut stage = Stage::start(shape);
    stage.honest();
    let cases = table::all(&stage);
    assert!(cases.len() >= at_least, "{} cases", cases.len());
    let mut faults = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        stage.know_neighbors();
        faults.extend(case.is_dropped(&stage, number).err());
        if number % BETWEEN == 0 {
            stage.honest();
        }
    }
    stage.honest();
    stage.without_rules();
    for (number, case) in cases.iter().enumerate().filter(|(_, case)| case.held) {
        stage.know_neighbors();
        faults.extend(case.is_held(&stage, number).err());
    }
    stage.with_open_ports();
    for (number, case) in cases.iter().enumerate() {
        stage.know_neighbors();
        faults.extend(case.gets_through(&stage, number).err());
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
}

#[test]
fn every_attack_on_one_bridge_is_dropped_and_gets_through_without_rules() {
    suite(
        Shape {
            two_bridges: false,
            lines: "ipv4 = false",
            front_door: false,
            bridges_call: "0",
        },
        50,
    );
}

#[test]
fn every_attack_on_two_bridges_is_dropped_and_gets_through_without_rules() {
    suite(
        Shape {
            two_bridges: true,
            lines: "ipv4 = false\nisolate_clients = true\nbind_ports = true",
            front_door: true,
            bridges_call: "1",
        },
        60,
    );
}
