//! Joined bridges: further bridges of a link, for more instances than one bridge has ports.
//!
//! ```text
//!   clients ─┐
//!   host ────┤ br0 ── near end ══ veth ══ far end ── oj1a2b3-1 ── instances
//! instances ─┘        (isolated)
//! ```
//!
//! The kernel gives a bridge 1,023 ports. When the bridge of a link has [`JOIN_AT`] of them, the next instances get ports
//! on a joined bridge. It is made when it is needed, and removed when its last instance is gone.
//!
//! - The near end is isolated like the instances behind it, so the bridge of the link passes nothing from one isolated
//!   instance to another, wherever they are. Instances that are not isolated have joined bridges of their own, whose
//!   near ends are not isolated either.
//! - A joined bridge has no addresses. It and both ends carry a mark that names the bridge of the link, by which a later
//!   daemon finds them again.
//! - The near end counts as a port to a multicast router, so that snooping keeps no multicast from instances.

mod make;
mod mark;
mod place;
mod remove;
mod rooms;
mod seen;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::mark::joined_to;
pub(crate) use self::mark::{ends_of, prefix_of};
pub(crate) use self::place::Place;
use self::rooms::Rooms;
pub use self::seen::JoinedBridge;
pub(crate) use self::seen::{Joined, is_end, mark_of};
use crate::Network;

/// How many ports a bridge has before instances are put on the next one. The others are left for clients and for joins.
pub const JOIN_AT: usize = 1000;

/// What is known of joined bridges. Clones of a [`Network`] share it.
#[derive(Debug)]
pub(crate) struct Joins {
    /// How many ports a bridge has before the next one is used, without that to the bridge of the link.
    most: usize,
    /// Held while a joined bridge is made, mended or removed.
    making: tokio::sync::Mutex<()>,
    rooms: Mutex<Rooms>,
}

impl Joins {
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        // Nothing that holds the lock can panic half-way through a change.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network {
    /// The same network, in which instances get ports on joined bridges when the bridge of their link has so many ports.
    /// A limit that was set before stays.
    #[must_use]
    pub fn joining(mut self, most: usize) -> Self {
        let joins = || Joins {
            most,
            making: tokio::sync::Mutex::default(),
            rooms: Mutex::default(),
        };
        self.joins.get_or_insert_with(|| Arc::new(joins()));
        self
    }
}
