//! What a client tries in the name of another one, over DHCPv6.

use std::net::{SocketAddrV6, UdpSocket};

use nix::net::if_::if_nametoindex;
use orchestrator_lab::{Dhclient, Namespace, wait_for};
use orchestrator_wire::{
    ADVERTISE, DECLINE, ELAPSED_TIME, Message, RELEASE, SERVER_ID, SOLICIT, client_id, duid_ll, ia_na, message, option,
};

use crate::site::{PATIENCE, Plan, Site, address, text, wait_link_local};

/// Declines that once kept a client from any address.
const DECLINES: u8 = 16;

/// A client's socket on a machine whose own client does not run.
struct Stranger {
    socket: UdpSocket,
    servers: SocketAddrV6,
}

impl Stranger {
    fn on(machine: &Namespace) -> Self {
        wait_link_local(machine);
        let open = || (UdpSocket::bind("[::]:546").unwrap(), if_nametoindex("eth0").unwrap());
        let (socket, interface) = machine.within(open);
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            servers: SocketAddrV6::new("ff02::1:2".parse().unwrap(), 547, 0, interface),
        }
    }

    fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.servers).unwrap();
    }

    /// The server's identity, which is in each of its messages.
    fn server(&self) -> Vec<u8> {
        let own = client_id(&duid_ll([2, 0, 0, 0, 0, 9]));
        self.send(&message(
            SOLICIT,
            [9, 9, 9],
            &[own, option(ELAPSED_TIME, &[0; 2]), ia_na(9, &[])],
        ));
        let mut room = [0; 1500];
        let length = self.socket.recv(&mut room).unwrap();
        let advertise = Message::parse(&room[..length]);
        assert_eq!(advertise.kind, ADVERTISE);
        option(SERVER_ID, advertise.options.get(SERVER_ID).unwrap())
    }
}

/// Whoever knows a DUID can write a Release and a Decline. Neither ends another's lease, nor its instance.
#[test]
fn a_lease_is_not_ended_in_another_clients_name() {
    let site = Site::start(&Plan {
        link: "isolation = true".to_owned(),
        ..Plan::default()
    });
    let [alice, mallory] = ["alice", "mallory"].map(|name| site.machine(name));
    let mut client = Dhclient::boot(&alice, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let stranger = Stranger::on(&mallory);
    let server = stranger.server();
    let shown = alice.ip_json("link show dev eth0").unwrap();
    let octets = text(&shown[0], "address");
    let octets: Vec<u8> = octets
        .split(':')
        .map(|one| u8::from_str_radix(one, 16).unwrap())
        .collect();
    let mac: [u8; 6] = octets.try_into().unwrap();
    // dhclient makes its IAID of the last four octets.
    let iaid = u32::from_be_bytes(*mac.last_chunk::<4>().unwrap());
    let about = |kind: u8, number: u8| {
        let options = [
            client_id(&duid_ll(mac)),
            server.clone(),
            option(ELAPSED_TIME, &[0; 2]),
            ia_na(iaid, &[leased]),
        ];
        message(kind, [7, kind, number], &options)
    };
    stranger.send(&about(RELEASE, 0));
    for number in 0..DECLINES {
        stranger.send(&about(DECLINE, number));
    }
    wait_for("a refused message in the timeline", PATIENCE, || {
        site.event_kinds().contains(&"message-refused".to_owned()).then_some(())
    });
    let lease = site.lease(leased).unwrap();
    assert_eq!(lease["state"], "active");
    let live = site.instances();
    assert_eq!(
        (live.len(), &live[0]["id"], &live[0]["phase"]),
        (1, &instance["id"], &"ready".into())
    );
    assert_eq!(alice.get(address(&instance), 80, "/").unwrap().status, 200);
    // The same message from its holder counts.
    client.release().unwrap();
    wait_for("the release", PATIENCE, || {
        (site.lease(leased)?["state"] == "released").then_some(())
    });
}
