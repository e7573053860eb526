//! A message, as a script says it.

use std::net::Ipv6Addr;

use orchestrator_wire as wire;

use crate::script::Script;
use crate::world::{self, POOL_SIZE, World};

use super::books::Books;

/// Options of a message that a script may say.
const OPTIONS: usize = 7;

/// A datagram, and where it comes from.
pub(super) struct Sent {
    pub(super) datagram: Vec<u8>,
    pub(super) source: Ipv6Addr,
    /// Whether it goes to all servers, and not to an address of this one.
    pub(super) multicast: bool,
}

impl Sent {
    /// A datagram of these bytes.
    pub(super) fn raw(client: u8, datagram: &[u8]) -> Self {
        Self {
            datagram: datagram.to_vec(),
            source: world::link_local(client),
            multicast: true,
        }
    }
}

/// The message of a client; nothing when the script is over.
///
/// Flags: how it is relayed, or whether it comes from the client's second interface (2 bits), rapid commit, another server
/// identifier than belongs there, reconfigure accept. From the second interface with rapid commit, it goes by unicast from
/// the last address that anyone was told of.
pub(super) fn read(
    kind: u8,
    client: u8,
    flags: u8,
    script: &mut Script<'_>,
    world: &World,
    books: &Books,
) -> Option<Sent> {
    let mut options = vec![wire::client_id(&wire::duid(client))];
    let wants_server = [wire::REQUEST, wire::RENEW, wire::RELEASE, wire::DECLINE].contains(&kind);
    if wants_server != (flags & 8 != 0) {
        options.push(wire::server_id(world.server.duid().as_bytes()));
    }
    if flags & 4 != 0 {
        options.push(wire::option(wire::RAPID_COMMIT, &[]));
    }
    if flags & 16 != 0 {
        options.push(wire::option(wire::RECONFIGURE_ACCEPT, &[]));
    }
    let mut source = match flags & 3 {
        1 => world::second_link_local(client),
        _ => world::link_local(client),
    };
    let mut names = Names { script, world, books };
    if kind == wire::ADDR_REG_INFORM {
        source = names.address()?;
        let valid = u32::from(names.script.byte()?) * 600;
        options.push(wire::ia_address(source, valid / 2, valid));
    }
    for _ in 0..names.script.choice(OPTIONS)? {
        options.push(names.option()?);
    }
    let message = wire::message(kind, [kind, client, flags], &options);
    let unicast = books.seen(0).filter(|_| flags & 7 == 5);
    let multicast = unicast.is_none();
    let source = unicast.map_or(source, |(address, _)| address);
    let datagram = match flags & 3 {
        2 => relayed(client, source, world::on_link(9), &message),
        3 => relayed(client, source, Ipv6Addr::UNSPECIFIED, &message),
        _ => message,
    };
    Some(Sent {
        datagram,
        source,
        multicast,
    })
}

fn relayed(client: u8, peer: Ipv6Addr, link: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let place = if client == 4 { "id" } else { "elsewhere" };
    let options = [
        wire::option(wire::REMOTE_ID, &[&[0, 0, 0, 9], place.as_bytes()].concat()),
        wire::option(wire::INTERFACE_ID, &[client]),
        wire::option(wire::LINK_LAYER_ADDRESS, &[0, 1, 2, 0, 0x5e, 0x20, 0, client]),
    ];
    wire::relay_forw(0, link, peer, &options, message)
}

/// Reads what a script names: in few bytes what there is, in more whatever there can be.
struct Names<'a, 'b> {
    script: &'a mut Script<'b>,
    world: &'a World,
    books: &'a Books,
}

impl Names<'_, '_> {
    fn option(&mut self) -> Option<Vec<u8>> {
        Some(match self.script.choice(8)? {
            0 | 1 => {
                let (iaid, count) = self.association()?;
                let inside: Vec<Vec<u8>> = (0..count)
                    .map_while(|_| self.address())
                    .map(|address| wire::ia_address(address, 0, 0))
                    .collect();
                wire::association(wire::IA_NA, iaid, &inside)
            }
            2 | 3 => {
                let (iaid, count) = self.association()?;
                let inside: Vec<Vec<u8>> = (0..count)
                    .map_while(|_| self.prefix())
                    .map(|(address, length)| wire::ia_prefix(address, length, 0, 0))
                    .collect();
                wire::association(wire::IA_PD, iaid, &inside)
            }
            4 => {
                let codes: Vec<u16> = self.script.short()?.iter().copied().map(u16::from).collect();
                wire::option_request(&codes)
            }
            5 => wire::option(wire::FQDN, self.script.short()?),
            6 => wire::option(self.script.byte()?.into(), self.script.short()?),
            _ => wire::option(
                u16::from_be_bytes([self.script.byte()?, self.script.byte()?]),
                self.script.short()?,
            ),
        })
    }

    /// IAID, and how many addresses or prefixes are named.
    fn association(&mut self) -> Option<(u32, usize)> {
        let byte = self.script.byte()?;
        Some(((byte & 7).into(), usize::from(byte >> 3) % 5))
    }

    fn address(&mut self) -> Option<Ipv6Addr> {
        let byte = self.script.byte()?;
        Some(match byte {
            0..96 => (u128::from(self.world.link.pool.first()) + u128::from(u64::from(byte) % POOL_SIZE)).into(),
            96..200 => match self.books.seen(byte) {
                Some((address, _)) => address,
                None => self.world.link.pool.first(),
            },
            200..208 => world::on_link(0xa000 + u64::from(byte)),
            208..216 => self.world.link.address,
            _ => {
                let mut octets = world::on_link(0).octets();
                let told = self.script.bytes(16);
                octets[..told.len()].copy_from_slice(told);
                octets.into()
            }
        })
    }

    fn prefix(&mut self) -> Option<(Ipv6Addr, u8)> {
        let byte = self.script.byte()?;
        let subnet = Ipv6Addr::new(0x2001, 0xdb8, 1, u16::from(byte) % 32, 0, 0, 0, 0);
        Some(match byte {
            0..96 => (subnet, 58 + self.script.byte()? % 8),
            96..200 => self.books.seen(byte).unwrap_or((subnet, 64)),
            200..232 => (Ipv6Addr::UNSPECIFIED, self.script.byte()?),
            _ => (self.address()?, self.script.byte()?),
        })
    }
}
