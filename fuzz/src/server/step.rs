//! One step of a sequence, as a script says it.

use orchestrator_dhcp6::Leased;
use orchestrator_wire as wire;

use crate::answer::as_prefix;
use crate::script::Script;
use crate::world::World;

use super::books::Books;
use super::message::{self, Sent};

/// Milliseconds that may pass before a step: up to a day and more, which ends every lease.
const PASSES: [i64; 8] = [0, 0, 1, 999, 30_000, 1_700_000, 7_200_000, 90_000_000];

/// One step.
pub(super) struct Step {
    /// Milliseconds that pass before.
    pub(super) passes: i64,
    /// Whether the commit of what it changes fails.
    pub(super) lost: bool,
    pub(super) doing: Doing,
}

/// What happens in it.
pub(super) enum Doing {
    /// A datagram comes.
    Say(Sent),
    /// The daemon begins anew with what was recorded.
    Restart,
    /// A client is to be reconfigured.
    Reconfigure(u8),
    /// Prefixes of other lengths are delegated from now on, and more or nothing is kept for clients that are known.
    Settle {
        /// Which lengths.
        lengths: usize,
        /// Whether anything is kept.
        keeps: bool,
    },
    /// An admin takes back what a client has.
    Release(Leased),
}

impl Step {
    /// The next one; nothing when the script is over.
    ///
    /// The first byte is what happens (4 bits), to which client (3 bits), and whether the commit fails.
    pub(super) fn read(script: &mut Script<'_>, world: &World, books: &Books) -> Option<Self> {
        let first = script.byte()?;
        let flags = script.byte()?;
        let client = first >> 4 & 7;
        let mut say = |kind| message::read(kind, client, flags, script, world, books).map(Doing::Say);
        let doing = match first & 15 {
            0 => say(wire::SOLICIT)?,
            1 | 2 => say(wire::REQUEST)?,
            3 => say(wire::CONFIRM)?,
            4 | 5 => say(wire::RENEW)?,
            6 => say(wire::REBIND)?,
            7 => say(wire::RELEASE)?,
            8 => say(wire::DECLINE)?,
            9 => say(wire::INFORMATION_REQUEST)?,
            10 => say(wire::ADDR_REG_INFORM)?,
            11 => Doing::Say(Sent::raw(client, script.long()?)),
            12 => Doing::Restart,
            13 => Doing::Reconfigure(client),
            14 => Doing::Settle {
                lengths: (client & 3).into(),
                keeps: client & 4 != 0,
            },
            _ => {
                let (address, length) = books.seen(client)?;
                Doing::Release(match length {
                    128 => address.into(),
                    _ => as_prefix(address, length).into(),
                })
            }
        };
        Some(Self {
            passes: PASSES[usize::from(flags >> 5)],
            lost: first & 128 != 0,
            doing,
        })
    }
}
