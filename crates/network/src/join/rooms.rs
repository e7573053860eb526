//! How many ports each bridge of a link has, as far as it was counted. A new instance costs no count of the kernel's ports.

use std::collections::HashMap;

/// The bridge of a link, by its index, and whether its instances are isolated.
pub(super) type RoomKey = (u32, bool);

/// A bridge that takes instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    /// Its index.
    pub(super) index: u32,
    /// Its name.
    pub(super) name: String,
}

/// The bridges that take instances.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    of: HashMap<RoomKey, Vec<Room>>,
    /// The ports of each bridge when they were counted, and those that were given since. Some may be free again.
    ports: HashMap<u32, usize>,
    /// How many attachments are being made on each bridge.
    wiring: HashMap<u32, usize>,
}

impl Rooms {
    /// Takes a port on the first bridge with fewer than `most`.
    pub(super) fn take(&mut self, key: RoomKey, most: usize) -> Option<Room> {
        let (rooms, ports) = (self.of.get(&key)?, &mut self.ports);
        let is_free = |room: &&Room| ports.get(&room.index).is_some_and(|ports| *ports < most);
        let room = rooms.iter().find(is_free)?.clone();
        *ports.entry(room.index).or_default() += 1;
        *self.wiring.entry(room.index).or_default() += 1;
        Some(room)
    }

    /// An attachment on this bridge was made, or failed.
    pub(super) fn settle(&mut self, index: u32) {
        if let Some(wiring) = self.wiring.get_mut(&index) {
            *wiring = wiring.saturating_sub(1);
            if *wiring == 0 {
                self.wiring.remove(&index);
            }
        }
    }

    /// Whether an attachment is being made on this bridge.
    pub(super) fn is_wiring(&self, index: u32) -> bool {
        self.wiring.contains_key(&index)
    }

    /// The bridges were counted: each with its ports.
    pub(super) fn set(&mut self, key: RoomKey, rooms: Vec<(Room, usize)>) {
        self.of.remove(&key);
        rooms.into_iter().for_each(|(room, ports)| self.add(key, room, ports));
    }

    /// One more bridge, which has so many ports.
    pub(super) fn add(&mut self, key: RoomKey, room: Room, ports: usize) {
        self.ports.insert(room.index, ports);
        self.of.entry(key).or_default().push(room);
    }

    /// Nothing is known any more: the next instance has the ports counted.
    pub(super) fn forget_all(&mut self) {
        self.of.clear();
    }

    /// The bridge takes no more instances.
    pub(super) fn close(&mut self, index: u32) {
        self.of
            .values_mut()
            .for_each(|rooms| rooms.retain(|room| room.index != index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(index: u32) -> Room {
        let name = format!("b{index}");
        Room { index, name }
    }

    fn taken(rooms: &mut Rooms) -> Option<u32> {
        rooms.take((1, true), 3).map(|room| room.index)
    }

    #[test]
    fn a_bridge_is_filled_before_the_next_one() {
        let mut rooms = Rooms::default();
        assert_eq!(taken(&mut rooms), None, "nothing is counted");
        rooms.set((1, true), vec![(room(1), 2), (room(5), 1)]);
        assert_eq!([(); 4].map(|()| taken(&mut rooms)), [Some(1), Some(5), Some(5), None]);
        assert_eq!(rooms.take((1, false), 3), None, "others have bridges of their own");
        rooms.add((1, true), room(6), 2);
        assert_eq!(taken(&mut rooms), Some(6));
        rooms.set((1, true), vec![(room(6), 0)]);
        rooms.close(6);
        assert_eq!(taken(&mut rooms), None);
    }

    #[test]
    fn the_ports_of_the_bridge_that_all_are_joined_with_are_counted_once() {
        let mut rooms = Rooms::default();
        rooms.set((1, true), vec![(room(1), 1)]);
        rooms.set((1, false), vec![(room(1), 1)]);
        let mut take = |isolated| rooms.take((1, isolated), 3).is_some();
        assert_eq!(
            [take(true), take(false), take(true), take(false)],
            [true, true, false, false]
        );
    }

    #[test]
    fn a_bridge_on_which_something_is_made_is_known() {
        let mut rooms = Rooms::default();
        rooms.set((1, true), vec![(room(5), 0)]);
        assert_eq!([taken(&mut rooms), taken(&mut rooms)], [Some(5), Some(5)]);
        rooms.settle(5);
        assert!(rooms.is_wiring(5));
        rooms.settle(5);
        rooms.settle(5);
        assert!(!rooms.is_wiring(5) && !rooms.is_wiring(6));
    }
}
