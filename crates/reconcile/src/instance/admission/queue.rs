//! The queue of those that wait for a place: fair across ports, and across the link-layer addresses behind each.
//!
//! The port that was served longest ago is next; among its link-layer addresses the one that was served longest ago; among
//! the clients of that the one that has waited longest. A port that was never served goes before all others. So a port with
//! thousands of clients delays another by one turn, and each port is served sooner or later.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use orchestrator_model::{LinkLayerAddress, Owner, Share, Slot, SlotKey, Timestamp};

use super::block::Block;
use super::claim::{Claim, Port};

/// A slot that is to be filled, and what that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The slot.
    pub(crate) key: SlotKey,
    /// What it takes.
    pub(crate) claim: Claim,
    /// Since when it is wanted.
    pub(crate) since: Timestamp,
}

/// A request that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) request: Request,
    /// What it waits for, as it was seen last.
    pub(super) block: Block,
    /// When it joined, counted in steps.
    pub(super) joined: u64,
}

/// Those of a link-layer address, the longest waiting first.
type Line = BTreeMap<(Timestamp, SlotKey), Waiting>;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ports: BTreeMap<Port, BTreeMap<Option<LinkLayerAddress>, Line>>,
    places: BTreeMap<SlotKey, (Share, Timestamp)>,
    lengths: HashMap<Port, usize>,
    served: Served,
}

/// When ports and link-layer addresses were served last, counted in turns; those that are not there never were.
#[derive(Debug, Clone, Default)]
pub(super) struct Served {
    turn: u64,
    ports: HashMap<Port, u64>,
    shares: HashMap<Share, u64>,
}

impl Served {
    /// The next turn is of this share.
    pub(super) fn serve(&mut self, share: &Share) {
        self.turn += 1;
        self.ports.insert(Port::of(share), self.turn);
        self.shares.insert(share.clone(), self.turn);
    }
}

/// What became of a request that asked for a place in the queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It waits.
    Waits,
    /// It waits, and this one does not any more.
    InPlaceOf(Box<Request>),
    /// There is no room for it.
    Full,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn holds(&self, key: &SlotKey) -> bool {
        self.places.contains_key(key)
    }

    /// The keys of an owner that wait.
    pub(super) fn keys_of(&self, owner: &Owner) -> impl Iterator<Item = &SlotKey> {
        let own = self.places.range(SlotKey::new(owner.clone(), Slot::new(""))..);
        own.map(|(key, _)| key).take_while(move |key| key.owner == *owner)
    }

    /// The keys of all that wait.
    pub(super) fn keys(&self) -> impl Iterator<Item = &SlotKey> {
        self.places.keys()
    }

    pub(super) fn set_served(&mut self, served: Served) {
        self.served = served;
    }

    pub(super) fn serve(&mut self, share: &Share) {
        self.served.serve(share);
    }

    pub(super) fn get_mut(&mut self, key: &SlotKey) -> Option<&mut Waiting> {
        let (share, since) = self.places.get(key)?;
        let lines = self.ports.get_mut(&Port::of(share))?;
        lines.get_mut(&share.link_layer)?.get_mut(&(*since, key.clone()))
    }

    /// Adds a request. `most` is the largest length of the queue: the last one of the port with the most waiting gives way.
    pub(super) fn join(&mut self, waiting: Waiting, most: usize) -> Joined {
        let own = Port::of(&waiting.request.claim.share);
        let mut displaced = None;
        if self.len() >= most {
            let own_length = self.lengths.get(&own).copied().unwrap_or(0) + 1;
            let longest = self
                .lengths
                .iter()
                .max_by_key(|(port, length)| (**length, Reverse(*port)));
            match longest.filter(|(_, length)| **length > own_length) {
                Some((port, _)) => displaced = self.last_of(&port.clone()),
                None => return Joined::Full,
            }
        }
        let displaced = displaced.and_then(|key| self.leave(&key));
        let Request { key, claim, since } = &waiting.request;
        self.places.insert(key.clone(), (claim.share.clone(), *since));
        *self.lengths.entry(own.clone()).or_default() += 1;
        let place = (*since, key.clone());
        let line = self.ports.entry(own).or_default();
        line.entry(claim.share.link_layer.clone())
            .or_default()
            .insert(place, waiting);
        match displaced {
            Some(other) => Joined::InPlaceOf(Box::new(other.request)),
            None => Joined::Waits,
        }
    }

    /// The last one of the longest line of a port.
    fn last_of(&self, port: &Port) -> Option<SlotKey> {
        let longest = self.ports.get(port)?.values().max_by_key(|line| line.len())?;
        longest.keys().next_back().map(|(_, key)| key.clone())
    }

    /// Takes a request out.
    pub(super) fn leave(&mut self, key: &SlotKey) -> Option<Waiting> {
        let (share, since) = self.places.remove(key)?;
        let port = Port::of(&share);
        let lines = self.ports.get_mut(&port)?;
        let line = lines.get_mut(&share.link_layer)?;
        let left = line.remove(&(since, key.clone()));
        if line.is_empty() {
            lines.remove(&share.link_layer);
        }
        if lines.is_empty() {
            self.ports.remove(&port);
        }
        if let Some(length) = self.lengths.get_mut(&port) {
            *length -= 1;
            if *length == 0 {
                self.lengths.remove(&port);
            }
        }
        left
    }

    /// All that wait, in the order of their turns.
    pub(super) fn in_turn(&self) -> Turns<'_> {
        let served_of = |port: &Port| self.served.ports.get(port).copied().unwrap_or(0);
        let mut ports: Vec<PortLines<'_>> = Vec::with_capacity(self.ports.len());
        let mut heap = BinaryHeap::with_capacity(self.ports.len());
        for (port, lines) in &self.ports {
            let lines = PortLines::new(port, lines, &self.served);
            heap.extend(lines.head().map(|head| Reverse((served_of(port), head, ports.len()))));
            ports.push(lines);
        }
        Turns {
            turn: self.served.turn,
            ports,
            heap,
        }
    }
}

/// The next of several lines: how often each was served, its first slot, and its index.
type Heads<'q> = BinaryHeap<Reverse<(u64, &'q (Timestamp, SlotKey), usize)>>;

/// Goes through the queue in the order of turns.
pub(super) struct Turns<'q> {
    turn: u64,
    ports: Vec<PortLines<'q>>,
    heap: Heads<'q>,
}

/// The lines of a port.
struct PortLines<'q> {
    lines: Vec<std::iter::Peekable<std::collections::btree_map::Iter<'q, (Timestamp, SlotKey), Waiting>>>,
    heap: Heads<'q>,
}

impl<'q> PortLines<'q> {
    fn new(port: &Port, lines: &'q BTreeMap<Option<LinkLayerAddress>, Line>, served: &Served) -> Self {
        let mut own = Self {
            lines: Vec::with_capacity(lines.len()),
            heap: BinaryHeap::with_capacity(lines.len()),
        };
        let Port { link, port } = port;
        let mut share = Share {
            link: link.clone(),
            port: port.clone(),
            link_layer: None,
        };
        for (address, line) in lines {
            share.link_layer.clone_from(address);
            let served = served.shares.get(&share).copied().unwrap_or(0);
            if let Some(head) = line.keys().next() {
                own.heap.push(Reverse((served, head, own.lines.len())));
                own.lines.push(line.iter().peekable());
            }
        }
        own
    }

    /// The one that has waited longest behind the address that is next.
    fn head(&self) -> Option<&'q (Timestamp, SlotKey)> {
        self.heap.peek().map(|Reverse((_, head, _))| *head)
    }

    fn next(&mut self, turn: u64) -> Option<&'q Waiting> {
        let Reverse((_, _, index)) = self.heap.pop()?;
        let line = self.lines.get_mut(index)?;
        let (_, waiting) = line.next()?;
        if let Some((head, _)) = line.peek() {
            self.heap.push(Reverse((turn, *head, index)));
        }
        Some(waiting)
    }
}

impl<'q> Iterator for Turns<'q> {
    type Item = &'q Waiting;

    fn next(&mut self) -> Option<&'q Waiting> {
        let Reverse((_, _, index)) = self.heap.pop()?;
        self.turn += 1;
        let port = self.ports.get_mut(index)?;
        let next = port.next(self.turn);
        if let Some(head) = port.head() {
            self.heap.push(Reverse((self.turn, head, index)));
        }
        next
    }
}
