//! Everything that is allowed, kept up to date owner by owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_host::{PolicyItem, PolicyKey};
use orchestrator_model::{Owner, Timestamp};

use crate::claim::Claim;
use crate::ways::{Balancer, balancers, is_balancer, is_led_to, ways};
use crate::{Delta, Entry, Links, OwnerFacts, derive, derive_links};

/// Who claims something, in the order of precedence. The settings come before every owner.
type Claimant = (Timestamp, Option<Owner>);

/// Everything that is allowed.
///
/// It depends on the links and on the last facts of each owner, and not on the order in which these came.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    links: Links,
    /// The claims of each owner, so that they can be taken back.
    owners: HashMap<Option<Owner>, BTreeMap<Claim, Timestamp>>,
    claims: HashMap<Claim, BTreeMap<Claimant, PolicyItem>>,
    /// The balancers, which reach the ports of services.
    balancers: Vec<Balancer>,
    /// The last facts of the services, to derive them anew when a balancer comes or goes.
    services: BTreeMap<Owner, OwnerFacts>,
}

impl Policy {
    /// The policy of these links, without any owner.
    pub fn new(links: Links) -> Self {
        let mut policy = Self::default();
        policy.replace(None, derive_links(&links));
        policy.links = links;
        policy
    }

    /// The links.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Takes over what is recorded of one owner, in place of what was known of it. Costs what the owner has; for the
    /// balancers, what all services have.
    pub fn set_owner(&mut self, facts: &OwnerFacts) -> Delta {
        let mut delta = self.put(facts);
        if is_led_to(&facts.owner) {
            match facts.instances.is_empty() {
                true => drop(self.services.remove(&facts.owner)),
                false => drop(self.services.insert(facts.owner.clone(), facts.clone())),
            }
        }
        let is_same = !is_balancer(&facts.owner) || self.balancers == balancers(facts, &self.links);
        if !is_same {
            self.balancers = balancers(facts, &self.links);
            let services = std::mem::take(&mut self.services);
            for service in services.values() {
                delta.then(self.put(service));
            }
            self.services = services;
        }
        delta
    }

    fn put(&mut self, facts: &OwnerFacts) -> Delta {
        let mut entries = derive(facts, &self.links);
        entries.extend(ways(facts, &self.links, &self.balancers));
        self.replace(Some(facts.owner.clone()), entries)
    }

    /// The balancers.
    pub(crate) fn balancers(&self) -> &[Balancer] {
        &self.balancers
    }

    /// All that is allowed, in the order of the keys.
    pub fn whole(&self) -> Vec<PolicyItem> {
        let items = self.claims.values().filter_map(winner).cloned();
        let by_key: BTreeMap<_, _> = items.map(|item| (item.key(), item)).collect();
        by_key.into_values().collect()
    }

    /// The keys of what an owner claims.
    pub fn keys_of(&self, owner: &Owner) -> impl Iterator<Item = PolicyKey> {
        self.keys(Some(owner.clone()))
    }

    /// The keys of what the settings claim.
    pub fn keys_of_links(&self) -> impl Iterator<Item = PolicyKey> {
        self.keys(None)
    }

    fn keys(&self, owner: Option<Owner>) -> impl Iterator<Item = PolicyKey> {
        let claims = self.owners.get(&owner).into_iter().flatten();
        claims.filter_map(move |(claim, since)| {
            let item = self.claims.get(claim)?.get(&(*since, owner.clone()))?;
            Some(item.key())
        })
    }

    /// What holds the claim of an item, with its owner; `None` if nobody claims it. The owner is `None` for what the
    /// settings say.
    pub fn holder(&self, item: &PolicyItem) -> Option<(Option<&Owner>, &PolicyItem)> {
        let claimants = self.claims.get(&Claim::of(item))?;
        let ((_, owner), item) = claimants.first_key_value()?;
        Some((owner.as_ref(), item))
    }

    /// The owner of this address: of a client's address or prefix, or of an instance's. Costs a walk over everything.
    pub fn owner_of(&self, address: Ipv6Addr) -> Option<&Owner> {
        self.owned()
            .filter_map(|(owner, item)| Some((owner, prefix_of(item)?)))
            .filter(|(_, prefix)| prefix.contains(&address))
            // The address itself goes before a prefix that holds it.
            .max_by_key(|(_, prefix)| prefix.prefix_len())
            .map(|(owner, _)| owner)
    }

    /// Everything that is allowed for an owner, with the owner, in no order.
    pub fn owned(&self) -> impl Iterator<Item = (&Owner, &PolicyItem)> {
        let first = self.claims.values().filter_map(BTreeMap::first_key_value);
        first.filter_map(|((_, owner), item)| Some((owner.as_ref()?, item)))
    }

    /// How many things are allowed.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether nothing is allowed, because no link is checked.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Replaces the claims of one owner. Returns what that changes.
    fn replace(&mut self, owner: Option<Owner>, entries: Vec<Entry>) -> Delta {
        let new = claims(entries);
        let old = self.owners.remove(&owner).unwrap_or_default();
        let touched: BTreeSet<Claim> = old.keys().chain(new.keys()).cloned().collect();
        let mut delta = Delta::default();
        for claim in touched {
            let claimants = self.claims.entry(claim.clone()).or_default();
            let before = winner(claimants).cloned();
            if let Some(since) = old.get(&claim) {
                claimants.remove(&(*since, owner.clone()));
            }
            if let Some(entry) = new.get(&claim) {
                claimants.insert((entry.since, owner.clone()), entry.item.clone());
            }
            let after = winner(claimants).cloned();
            if claimants.is_empty() {
                self.claims.remove(&claim);
            }
            delta.change(before, after);
        }
        if !new.is_empty() {
            let kept = new.into_iter().map(|(claim, entry)| (claim, entry.since));
            self.owners.insert(owner, kept.collect());
        }
        delta
    }
}

impl Delta {
    /// Adds what becomes of one claim.
    fn change(&mut self, before: Option<PolicyItem>, after: Option<PolicyItem>) {
        if before == after {
            return;
        }
        let gone = before.map(|item| item.key());
        let stays = after.as_ref().map(PolicyItem::key);
        self.remove.extend(gone.filter(|key| Some(key) != stays.as_ref()));
        self.set.extend(after);
    }
}

/// The claims of entries. Of two that are equal, the older one counts.
fn claims(entries: Vec<Entry>) -> BTreeMap<Claim, Entry> {
    let mut claims: BTreeMap<Claim, Entry> = BTreeMap::new();
    for entry in entries {
        let claim = Claim::of(&entry.item);
        match claims.get(&claim) {
            Some(known) if known.since <= entry.since => {}
            _ => drop(claims.insert(claim, entry)),
        }
    }
    claims
}

/// The addresses that an item binds to its owner.
fn prefix_of(item: &PolicyItem) -> Option<Ipv6Net> {
    match item {
        PolicyItem::Client(client) => Some(client.prefix),
        PolicyItem::Instance(instance) => Some(instance.prefix),
        _ => None,
    }
}

/// The item of the oldest claim.
fn winner(claimants: &BTreeMap<Claimant, PolicyItem>) -> Option<&PolicyItem> {
    claimants.values().next()
}
