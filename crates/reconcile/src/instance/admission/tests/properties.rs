//! Whatever clients do: no limit is exceeded, nobody waits for ever, and a place that is free is given at once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::claim::Port;
use super::*;

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// A client with this number, behind the port and link-layer address with these, wants an instance.
    Want(u16, u8, u8),
    /// It does not any more.
    Leave(u16),
    /// One of those that are made is recorded, and up.
    Made(usize),
    /// One of those that are made is not made after all.
    Failed(usize),
    /// One of the instances is removed.
    Removed(usize),
    /// The record is read.
    Read,
    /// Time passes, in milliseconds.
    Later(i64),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0_u16..40, 0_u8..4, 0_u8..3).prop_map(|(client, port, address)| Event::Want(client, port, address)),
        1 => (0_u16..40).prop_map(Event::Leave),
        4 => any::<usize>().prop_map(Event::Made),
        1 => any::<usize>().prop_map(Event::Failed),
        2 => any::<usize>().prop_map(Event::Removed),
        1 => Just(Event::Read),
        1 => (1_i64..30_000).prop_map(Event::Later),
    ]
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let some = |most: u64| prop::option::of(1..most);
    let host = (some(12), some(1500), some(6000), some(150), some(15_000)).prop_map(
        |(instances, memory, millicpus, pids, disk)| HostLimits {
            instances,
            memory: memory.map(|memory| memory + 100),
            millicpus: millicpus.map(|millicpus| millicpus + 500),
            pids: pids.map(|pids| pids + 10),
            disk: disk.map(|disk| disk + 1000),
        },
    );
    let link = (some(12), some(8), some(12)).prop_map(|(instances, port_instances, creations)| LinkLimits {
        instances,
        port_instances,
        creations,
        ..OPEN
    });
    (host, link, 300_u32..=1000, 1_usize..30, 1_usize..6).prop_map(|(host, link, share, queue, making)| Limits {
        hosts: [(HostId::local(), host)].into(),
        links: [("br0".to_owned(), link)].into(),
        share,
        queue,
        making,
        engines: 1,
        ..Limits::default()
    })
}

/// What a naive observer knows.
#[derive(Default)]
struct Books {
    /// Granted and not recorded.
    making: BTreeMap<u16, Request>,
    /// Each with the number of its instance.
    live: BTreeMap<u16, (Request, u16)>,
    /// When each instance was recorded, by its number, and what for.
    created: Vec<(Timestamp, Request)>,
    wanted: BTreeMap<u16, Request>,
    now: i64,
}

impl Books {
    fn granted(&mut self, keys: impl IntoIterator<Item = SlotKey>) {
        for key in keys {
            let number = number_of(&key);
            let request = self.wanted.remove(&number).expect("it wanted one");
            assert!(self.making.insert(number, request).is_none());
        }
    }

    /// No limit is exceeded.
    fn judge(&self, limits: &Limits) {
        let host = limits.host(&HostId::local());
        let link = limits.link("br0");
        let claims: Vec<&Request> = self
            .making
            .values()
            .chain(self.live.values().map(|(one, _)| one))
            .collect();
        let within = |used: u64, limit: Option<u64>, what: &str| {
            assert!(limit.is_none_or(|limit| used <= limit), "{used} {what} of {limit:?}");
        };
        let count = u64::try_from(claims.len()).unwrap();
        within(count, host.instances, "instances of the host");
        within(count, link.instances, "instances of the link");
        let sum = |of: fn(&Size) -> u64| claims.iter().map(|one| of(&one.claim.size)).sum();
        within(sum(|size| size.memory), host.memory, "bytes");
        within(sum(|size| size.millicpus), host.millicpus, "processors");
        within(sum(|size| size.pids), host.pids, "processes");
        within(sum(|size| size.disk), host.disk, "disk");
        let mut ports: BTreeMap<Port, u64> = BTreeMap::new();
        for one in &claims {
            *ports.entry(Port::of(&one.claim.share)).or_default() += 1;
        }
        for used in ports.into_values() {
            within(used, link.port_instances, "instances behind a port");
        }
        let recent = self
            .created
            .iter()
            .filter(|(created, _)| created.0 + 60_000 > at(self.now).0);
        let made = recent.count() + self.making.len();
        within(made.try_into().unwrap(), link.creations, "creations");
    }
}

fn happen(admission: &mut Admission, books: &mut Books, limits: &Limits, event: Event) {
    let nth = |numbers: Vec<u16>, index: usize| numbers.get(index % numbers.len().max(1)).copied();
    match event {
        Event::Want(client, port, address) => {
            if books.making.contains_key(&client) || books.live.contains_key(&client) {
                return;
            }
            let request = wish_of_address(client, &format!("eth{port}"), address, books.now);
            books.wanted.insert(client, request.clone());
            let (answer, effects) = admission.ask(request, limits, at(books.now));
            let own = (answer == Answer::Granted).then(|| key(client));
            books.granted(own.into_iter().chain(effects.granted));
        }
        Event::Leave(client) => {
            books.wanted.remove(&client);
            admission.keep_only(&key(client).owner, |_| false);
        }
        Event::Made(index) => {
            let Some(client) = nth(books.making.keys().copied().collect(), index) else {
                return;
            };
            let request = books.making.remove(&client).unwrap();
            let number = u16::try_from(books.created.len()).unwrap();
            admission.recorded(&key(client), id(number), at(books.now), false);
            books.created.push((at(books.now), request.clone()));
            books.live.insert(client, (request, number));
            admission.over(&key(client));
        }
        Event::Failed(index) => {
            let Some(client) = nth(books.making.keys().copied().collect(), index) else {
                return;
            };
            books.making.remove(&client);
            admission.over(&key(client));
        }
        Event::Removed(index) => {
            let Some(client) = nth(books.live.keys().copied().collect(), index) else {
                return;
            };
            let (_, number) = books.live.remove(&client).unwrap();
            admission.removed(id(number));
        }
        Event::Read => read(admission, books, limits),
        Event::Later(span) => books.now += span,
    }
    let granted = admission.admit(limits, at(books.now));
    books.granted(granted);
}

/// Reads the record, as the full pass does.
fn read(admission: &mut Admission, books: &Books, limits: &Limits) {
    admission.begin_reading();
    let mut promises = Vec::new();
    for (number, (created, request)) in (0_u16..).zip(&books.created) {
        let is_live = books.live.values().any(|(_, live)| *live == number);
        let one = Promise {
            id: id(number),
            ..promise(request, *created, is_live)
        };
        promises.push(one);
    }
    for one in &mut promises {
        one.spec.main.resources.memory = Some(100);
        one.spec.main.resources.millicpus = Some(500);
        one.spec.main.resources.pids = Some(10);
        one.spec.main.resources.disk = Some(1000);
    }
    let wanted = books.wanted.values().cloned().collect();
    admission.finish_reading(&promises, wanted, limits, at(books.now));
}

/// Everything that is made comes up and is removed again, until nobody waits. Each gets its turn.
fn run_dry(admission: &mut Admission, books: &mut Books, limits: &Limits) {
    for _ in 0..500 {
        while !books.making.is_empty() {
            happen(admission, books, limits, Event::Made(0));
            books.judge(limits);
        }
        while !books.live.is_empty() {
            happen(admission, books, limits, Event::Removed(0));
            books.judge(limits);
        }
        if books.wanted.is_empty() {
            return;
        }
        happen(admission, books, limits, Event::Later(60_000));
        happen(admission, books, limits, Event::Read);
        books.judge(limits);
    }
    let left: BTreeSet<_> = books.wanted.keys().collect();
    panic!("these wait for ever: {left:?}");
}

proptest! {
    #[test]
    fn no_limit_is_exceeded_and_nobody_waits_for_ever(
        limits in any_limits(),
        events in prop::collection::vec(any_event(), 0..200),
    ) {
        let mut admission = empty(&limits);
        let mut books = Books::default();
        for event in events {
            happen(&mut admission, &mut books, &limits, event);
            books.judge(&limits);
        }
        run_dry(&mut admission, &mut books, &limits);
    }

    /// An attacker with any number of identities behind one port delays a client behind another by no more than a turn.
    #[test]
    fn a_port_with_many_delays_another_by_one_turn(attackers in 1_u16..300, honest in 1_u16..20) {
        let limits = host_of(1);
        let mut admission = empty(&limits);
        assert!(fill(&mut admission, wish(1000, "attacker", 0), &limits, NOW));
        for client in 0..attackers {
            admission.ask(wish_of_address(client, "attacker", client.to_be_bytes()[1], 0), &limits, NOW);
        }
        for client in 0..honest {
            let port = format!("eth{client}");
            admission.ask(wish(500 + client, &port, 1), &limits, NOW);
        }
        let first: Vec<u16> = waiting(&admission).into_iter().take(usize::from(honest)).collect();
        prop_assert!(first.iter().all(|client| *client >= 500), "{:?}", first);
    }

    /// Where there is a place, nobody waits: what is granted one by one is granted as well when all ask at once.
    #[test]
    fn a_place_that_is_free_is_given(instances in 1_u64..20, clients in 1_u16..40) {
        let limits = host_of(instances);
        let mut admission = empty(&limits);
        for client in 0..clients {
            fill(&mut admission, wish(client, &format!("eth{client}"), 0), &limits, NOW);
        }
        let expected = usize::from(clients).saturating_sub(usize::try_from(instances).unwrap());
        prop_assert_eq!(admission.queue.len(), expected);
        let freed = u16::try_from(instances).unwrap().min(clients);
        let mut granted = Vec::new();
        for client in 0..freed {
            admission.removed(id(client));
            granted.extend(admission.admit(&limits, NOW));
        }
        prop_assert_eq!(granted.len(), expected.min(usize::from(freed)));
    }
}
