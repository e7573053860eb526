//! Wants: the slots of an owner that are to be filled now, each with its template.

use std::collections::BTreeMap;

use orchestrator_catalog::Declared;
use orchestrator_model::{HostId, Lease, Owner, Slot, SlotKey, Timestamp};
use orchestrator_settings::Again;
use orchestrator_store::Holding;

/// The wish of an owner for one of its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// An instance of this template. One that fills the slot stays, whatever template it was made from.
    Fill {
        /// Name of the template.
        template: String,
        /// Name of the network that it is reached on.
        network: String,
        /// Whether everything that it sends goes through this machine, also to its own network. Virtual addresses need it:
        /// their answers are translated back here.
        by_router: bool,
        /// The host that a new instance is placed on. `None` while the slot has an instance, or nobody has chosen a host: an
        /// empty slot waits for that.
        host: Option<HostId>,
    },
    /// That the instance that fills the slot stays. An empty slot remains empty.
    Keep,
}

/// Answers what owners want. It does no I/O and is given the time, so that every answer can be tested.
pub trait Wants: Send + Sync + 'static {
    /// The slots of `owner` that are to be filled or kept at `now`, each with what is wanted there. An instance in any
    /// other slot is to end.
    ///
    /// `holding` is what the owner holds, where the owner is a client.
    fn slots(
        &self,
        owner: &Owner,
        holding: Option<&Holding>,
        declared: &Declared,
        now: Timestamp,
    ) -> BTreeMap<Slot, Want>;

    /// What is wanted in one slot: the same as [`slots`](Self::slots) says of it. `None` when it is to be empty.
    fn slot(
        &self,
        owner: &Owner,
        slot: &Slot,
        holding: Option<&Holding>,
        declared: &Declared,
        now: Timestamp,
    ) -> Option<Want> {
        self.slots(owner, holding, declared, now).remove(slot)
    }

    /// The slots that a client of this link and class wants to have filled while it holds a lease. The full pass asks for
    /// them, so that it need not read the leases of clients that have what they want.
    fn slots_of_holder(&self, _link: &str, _class: Option<&str>, _declared: &Declared) -> Vec<Slot> {
        Vec::new()
    }

    /// Whether clients of this link may have instances of this owner's, though no template of the settings says so. Otherwise
    /// nobody is notified of their leases.
    fn provides(&self, _link: &str) -> bool {
        false
    }

    /// The slots to fill that do not depend on a client's lease. The full pass wakes the worker of each one that is empty.
    fn to_fill(&self) -> Vec<SlotKey> {
        Vec::new()
    }
}

/// What clients want: an instance of each template of their link or class, for as long as they hold a lease. Its slot is
/// called after the template.
///
/// - An instance stays while its client holds a lease, also when the settings name another template since: the new one
///   is made when the old one has ended.
/// - On a link that provides nothing any more, instances end. On a link that is no longer in the settings nobody gets an
///   instance any more, and instances stay while leases last. The same holds where all templates that are named are ones
///   that nobody declares.
/// - Slots that services fill ([`Slot::service`]) are none of these: the wants of the service decide about them.
/// - A slot whose last instance was ended by time (lifetime, idle limit, by hand) stays empty until the template's `again`.
/// - A client whose instance was destroyed by an operator gets no new instance until its next lease event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clients;

impl Wants for Clients {
    fn slots(&self, _: &Owner, holding: Option<&Holding>, declared: &Declared, now: Timestamp) -> BTreeMap<Slot, Want> {
        let Some(holding) = holding else { return BTreeMap::new() };
        if holding.active_leases.iter().all(|lease| lease.valid_until <= now) {
            return BTreeMap::new();
        }
        let (link, class) = (&holding.client.link, holding.client.class.as_deref());
        let own = || holding.slots.iter().filter(|slot| slot.service().is_none());
        let keep = || own().map(|slot| (slot.clone(), Want::Keep));
        if declared.link(link).is_none() {
            return keep().collect();
        }
        let wanted = self.slots_of_holder(link, class, declared);
        if wanted.is_empty() && declared.lacks_template_of(link, class) {
            return keep().collect();
        }
        if wanted.is_empty() {
            return BTreeMap::new();
        }
        // Each instance of a slot that is no longer wanted takes the place of one that is wanted.
        let unwanted = own().filter(|slot| !wanted.contains(slot)).count();
        let empty = wanted.into_iter().filter(|slot| !holding.slots.contains(slot));
        let is_free = |slot: &Slot| !is_spent(holding, slot, declared.again(slot.as_str()), now);
        let fill = empty.skip(unwanted).filter(|_| holding.client.wants_instance);
        let fill = fill.filter(is_free);
        let fill = fill.map(|slot| {
            let want = Want::Fill {
                template: slot.as_str().to_owned(),
                network: link.clone(),
                by_router: false,
                host: Some(HostId::local()),
            };
            (slot, want)
        });
        keep().chain(fill).collect()
    }

    fn slots_of_holder(&self, link: &str, class: Option<&str>, declared: &Declared) -> Vec<Slot> {
        let templates = declared.templates_of(link, class);
        templates.map(|template| Slot::new(&template.name)).collect()
    }
}

/// Whether time ended the last instance of a client's slot, and the client is not to have another one yet.
pub fn is_spent(holding: &Holding, slot: &Slot, again: Again, now: Timestamp) -> bool {
    let Some(ended) = holding.spent.get(slot) else {
        return false;
    };
    let begun_since = |lease: &Lease| lease.valid_until > now && lease.granted > *ended;
    match again {
        Again::Lease => !holding.active_leases.iter().any(begun_since),
        Again::After(span) => ended.plus(span) > now,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use orchestrator_model::{Client, Duid, Iaid, Id, LeaseSource, LeaseState};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    /// A link whose clients get instances of these templates.
    fn declared(templates: &str) -> Declared {
        let text = format!(
            "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
             instances = \"fd39::2:0/112\"\n{templates}\n\
             [template.web]\nimage = \"w\"\n[template.shell]\nimage = \"s\"\n[template.db]\nimage = \"d\"\n"
        );
        let settings = orchestrator_settings::parse(&text, std::iter::empty()).unwrap();
        Declared::new(std::sync::Arc::new(settings), Vec::new())
    }

    /// A client that holds a lease and has live instances in these slots.
    fn holding(slots: &[&str]) -> Holding {
        let (id, duid) = (Id::from_bytes([1; 6]), Duid::new([0, 3, 1]).unwrap());
        Holding {
            client: Client {
                id,
                link: "br0".to_owned(),
                duid: duid.clone(),
                link_layer: None,
                hostname: None,
                class: None,
                wants_instance: true,
                first_seen: Timestamp(0),
                last_seen: Timestamp(0),
            },
            active_leases: vec![Lease {
                link: "br0".to_owned(),
                leased: "fd39::1:1".parse().unwrap(),
                client: id,
                duid,
                iaid: Iaid(1),
                source: LeaseSource::Listener,
                state: LeaseState::Active,
                next_hop: None,
                granted_to: Default::default(),
                preferred_until: Timestamp(2_000),
                valid_until: Timestamp(2_000),
                granted: Timestamp(0),
                changed: Timestamp(0),
            }],
            slots: slots.iter().map(|slot| Slot::new(*slot)).collect(),
            spent: BTreeMap::new(),
        }
    }

    /// What is wanted, in short: `+web` is to be filled, `web` is to be kept.
    fn wanted(holding: &Holding, templates: &str, now: Timestamp) -> Vec<String> {
        let owner = Owner::Client(holding.client.id);
        let slots = Clients.slots(&owner, Some(holding), &declared(templates), now);
        slots
            .into_iter()
            .map(|(slot, want)| match want {
                Want::Keep => slot.to_string(),
                Want::Fill { template, network, .. } => {
                    assert_eq!((template.as_str(), network.as_str()), (slot.as_str(), "br0"));
                    format!("+{slot}")
                }
            })
            .collect()
    }

    #[test]
    fn each_template_of_a_link_is_a_slot_of_its_clients() {
        let both = "template = [\"web\", \"shell\"]";
        assert_eq!(wanted(&holding(&[]), "template = \"web\"", NOW), ["+web"]);
        assert_eq!(wanted(&holding(&[]), both, NOW), ["+shell", "+web"]);
        assert_eq!(wanted(&holding(&["web"]), both, NOW), ["+shell", "web"]);
        assert_eq!(wanted(&holding(&["shell", "web"]), both, NOW), ["shell", "web"]);
    }

    #[test]
    fn a_slot_of_a_service_neither_stands_for_a_template_nor_is_kept_for_one() {
        let dns = Slot::of_service("dns");
        let slots = [dns.as_str()];
        assert_eq!(wanted(&holding(&slots), "template = \"web\"", NOW), ["+web"]);
        let slots = [dns.as_str(), "web"];
        assert_eq!(wanted(&holding(&slots), "template = \"web\"", NOW), ["web"]);
        let mut elsewhere = holding(&slots);
        elsewhere.client.link = "br9".to_owned();
        assert_eq!(wanted(&elsewhere, "template = \"web\"", NOW), ["web"]);
    }

    #[test]
    fn without_a_lease_that_is_in_force_nothing_is_wanted() {
        let mut over = holding(&["web"]);
        assert_eq!(wanted(&over, "template = \"web\"", Timestamp(1_999)), ["web"]);
        assert!(wanted(&over, "template = \"web\"", Timestamp(2_000)).is_empty());
        over.active_leases.clear();
        assert!(wanted(&over, "template = \"web\"", NOW).is_empty());
        let nobody = Owner::Client(over.client.id);
        assert!(Clients.slots(&nobody, None, &declared(""), NOW).is_empty());
    }

    #[test]
    fn an_instance_of_a_template_that_was_replaced_stays_and_stands_for_the_new_one() {
        assert_eq!(wanted(&holding(&["web"]), "template = \"shell\"", NOW), ["web"]);
        assert_eq!(
            wanted(&holding(&["web"]), "template = [\"shell\", \"db\"]", NOW),
            ["+db", "web"]
        );
        assert_eq!(
            wanted(&holding(&["web", "shell"]), "template = \"db\"", NOW),
            ["shell", "web"]
        );
        // One that is only dropped stays, too, and nothing is made for it.
        assert_eq!(
            wanted(&holding(&["web", "shell"]), "template = \"web\"", NOW),
            ["shell", "web"]
        );
    }

    #[test]
    fn a_link_without_templates_ends_its_instances_and_a_link_that_is_gone_keeps_them() {
        assert!(wanted(&holding(&["web"]), "", NOW).is_empty());
        let mut gone = holding(&["web"]);
        gone.client.link = "br9".to_owned();
        assert_eq!(wanted(&gone, "template = \"web\"", NOW), ["web"]);
        gone.slots.clear();
        assert!(wanted(&gone, "template = \"web\"", NOW).is_empty());
    }

    #[test]
    fn after_a_removal_by_hand_no_slot_is_filled_and_the_others_are_kept() {
        let mut destroyed = holding(&["web"]);
        destroyed.client.wants_instance = false;
        assert_eq!(wanted(&destroyed, "template = [\"web\", \"shell\"]", NOW), ["web"]);
    }

    #[test]
    fn a_slot_that_time_emptied_is_filled_when_the_lease_begins_anew() {
        let mut spent = holding(&[]);
        spent.spent = [(Slot::new("web"), Timestamp(500))].into();
        let both = "template = [\"web\", \"shell\"]";
        assert_eq!(wanted(&spent, both, NOW), ["+shell"]);
        // Another lease that began since counts, unless it is over.
        let mut later = spent.active_leases[0].clone();
        (later.granted, later.valid_until) = (Timestamp(501), Timestamp(1_500));
        spent.active_leases.push(later);
        assert_eq!(wanted(&spent, both, NOW), ["+shell", "+web"]);
        assert_eq!(wanted(&spent, both, Timestamp(1_500)), ["+shell"]);
    }

    #[test]
    fn a_template_may_have_its_slot_filled_again_after_a_while() {
        let mut spent = holding(&[]);
        spent.spent = [(Slot::new("web"), Timestamp(500))].into();
        let again = |span, now| {
            let slot = Slot::new("web");
            is_spent(&spent, &slot, Again::After(Duration::from_millis(span)), Timestamp(now))
        };
        assert!(again(100, 599));
        assert!(!again(100, 600));
        assert!(!again(0, 500));
        let others = is_spent(&spent, &Slot::new("shell"), Again::Lease, NOW);
        assert!(!others, "each slot counts for itself");
    }

    #[test]
    fn a_template_that_nobody_declares_ends_no_instance() {
        let text = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                    instances = \"fd39::2:0/112\"\ntemplate = \"web\"\n[template.web]\nimage = \"w\"\n";
        let mut settings = orchestrator_settings::parse(text, std::iter::empty()).unwrap();
        settings.templates.clear();
        let declared = Declared::new(std::sync::Arc::new(settings), Vec::new());
        let held = holding(&["web"]);
        let owner = Owner::Client(held.client.id);
        let slots = Clients.slots(&owner, Some(&held), &declared, NOW);
        assert_eq!(slots.get(&Slot::new("web")), Some(&Want::Keep));
    }
}
