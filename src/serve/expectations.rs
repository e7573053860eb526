//! What the settings ask for, on the list of conditions before there is a part that looks for it.

use std::collections::BTreeMap;

use super::{link, relays, storage};
use orchestrator_reconcile::routes;
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_settings::Settings;

/// Owns the conditions that the settings in force ask for.
pub(super) struct Expectations {
    conditions: Conditions,
    owned: BTreeMap<String, Owned>,
}

impl Expectations {
    /// Those of the settings that the daemon starts with.
    pub(super) fn of(settings: &Settings, conditions: Conditions) -> Self {
        let mut expectations = Self {
            conditions,
            owned: BTreeMap::new(),
        };
        expectations.add(settings);
        expectations
    }

    /// Adds what `settings` ask for, before they are put in force: nobody is to see a moment of readiness in between.
    pub(super) fn add(&mut self, settings: &Settings) {
        for name in asked_for(settings) {
            let conditions = &self.conditions;
            self.owned.entry(name).or_insert_with_key(|name| conditions.own(name));
        }
    }

    /// Drops what `settings` no longer ask for, once they are in force. What a part still works on stays until it ends.
    pub(super) fn retain(&mut self, settings: &Settings) {
        let asked: Vec<String> = asked_for(settings).collect();
        self.owned.retain(|name, _| asked.contains(name));
    }
}

fn asked_for(settings: &Settings) -> impl Iterator<Item = String> {
    let relays = relays::interfaces(settings).map(|interface| relays::condition(interface));
    let links = settings.links.iter().map(|link| link::condition(&link.name));
    let networks = settings
        .networks
        .iter()
        .map(|network| orchestrator_reconcile::networks::condition(&network.name));
    let routes = settings.delegates().then(|| routes::CONDITION.to_owned());
    let provides = settings.links.iter().any(|link| settings.provides(link));
    let engines = settings.engines.names().filter(move |_| provides);
    let engines = engines.map(|engine| format!("engine {engine}"));
    [storage::CONDITION.to_owned()]
        .into_iter()
        .chain(relays)
        .chain(links)
        .chain(networks)
        .chain(routes)
        .chain(engines)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "[source.listener]\nrelays = [\"eth9\"]\n\
        [[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";
    const MORE: &str = "instances = \"fd39::2:0/112\"\ntemplate = \"web\"\n\
        [[link.delegation]]\npool = \"fd40::/48\"\nlength = 64\n\
        [template.web]\nimage = \"web\"\n";

    fn settings(text: &str) -> Settings {
        orchestrator_settings::parse(text, std::iter::empty()).unwrap()
    }

    fn names(conditions: &Conditions) -> Vec<String> {
        conditions.list().into_iter().map(|condition| condition.name).collect()
    }

    #[test]
    fn what_a_reload_takes_away_is_waited_for_no_more_although_nobody_began_to_look() {
        let conditions = Conditions::default();
        let mut expectations = Expectations::of(&settings(&format!("{BASE}{MORE}")), conditions.clone());
        assert_eq!(
            names(&conditions),
            ["database", "engine docker", "link br0", "relays eth9", "routes"]
        );
        let fewer = settings(BASE);
        expectations.add(&fewer);
        expectations.retain(&fewer);
        assert_eq!(names(&conditions), ["database", "link br0", "relays eth9"]);
        let none = settings("");
        expectations.add(&none);
        expectations.retain(&none);
        assert_eq!(names(&conditions), ["database"]);
    }

    #[test]
    fn what_a_part_still_works_on_stays_until_the_part_ends() {
        let conditions = Conditions::default();
        let mut expectations = Expectations::of(&settings(BASE), conditions.clone());
        let part = conditions.own("link br0");
        expectations.retain(&settings(""));
        assert_eq!(names(&conditions), ["database", "link br0"]);
        drop(part);
        assert_eq!(names(&conditions), ["database"]);
    }
}
