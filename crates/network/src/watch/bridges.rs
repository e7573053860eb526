//! What is known of bridges, and which events are news.

use std::collections::HashMap;

use super::LinkChange;
use super::event::Event;
use crate::link::Link;

/// The bridges that there are: index to name, and whether up.
#[derive(Debug, Default)]
pub(super) struct Bridges(HashMap<u32, (String, bool)>);

impl Bridges {
    pub(super) fn of(links: Vec<Link>) -> Self {
        let bridges = links.into_iter().filter(|link| link.is_kind("bridge"));
        Self(bridges.map(|link| (link.index, (link.name, link.up))).collect())
    }

    /// Takes an event in and tells what changed by it.
    pub(super) fn observe(&mut self, event: Event) -> Vec<LinkChange> {
        match event {
            Event::Seen(link) if link.is_kind("bridge") => self.see(link),
            Event::Gone(link) if link.is_kind("bridge") => {
                let known = self.0.remove(&link.index);
                known
                    .map(|(name, _)| LinkChange::BridgeGone { name })
                    .into_iter()
                    .collect()
            }
            Event::Gone(link) if link.is_kind("veth") && link.is_ours() && !link.alias.is_empty() => {
                vec![LinkChange::AttachmentGone {
                    host_interface: link.name,
                    alias: link.alias,
                }]
            }
            _ => Vec::new(),
        }
    }

    fn see(&mut self, link: Link) -> Vec<LinkChange> {
        let now = (link.name.clone(), link.up);
        let before = self.0.insert(link.index, now.clone());
        if before.as_ref() == Some(&now) {
            return Vec::new();
        }
        let renamed = before.filter(|(name, _)| *name != link.name);
        let gone = renamed.map(|(name, _)| LinkChange::BridgeGone { name });
        let name = link.name;
        let here = if link.up {
            LinkChange::BridgeUp { name }
        } else {
            LinkChange::BridgeDown { name }
        };
        gone.into_iter().chain([here]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LINK_GROUP;

    fn bridge(name: &str, up: bool) -> Link {
        Link {
            index: 2,
            name: name.into(),
            kind: Some("bridge".into()),
            up,
            ..Link::default()
        }
    }

    #[test]
    fn a_bridge_is_told_of_when_it_changes_and_only_then() {
        let mut bridges = Bridges::default();
        let name = || "br0".to_owned();
        assert_eq!(
            bridges.observe(Event::Seen(bridge("br0", false))),
            [LinkChange::BridgeDown { name: name() }]
        );
        assert_eq!(
            bridges.observe(Event::Seen(bridge("br0", true))),
            [LinkChange::BridgeUp { name: name() }]
        );
        assert_eq!(bridges.observe(Event::Seen(bridge("br0", true))), []);
        assert_eq!(
            bridges.observe(Event::Gone(bridge("br0", true))),
            [LinkChange::BridgeGone { name: name() }]
        );
        assert_eq!(bridges.observe(Event::Gone(bridge("br0", true))), []);
    }

    #[test]
    fn a_renamed_bridge_is_gone_under_its_old_name() {
        let mut bridges = Bridges::of(vec![bridge("br0", true)]);
        let changes = bridges.observe(Event::Seen(bridge("br1", true)));
        let wanted = [
            LinkChange::BridgeGone { name: "br0".into() },
            LinkChange::BridgeUp { name: "br1".into() },
        ];
        assert_eq!(changes, wanted);
    }

    #[test]
    fn only_our_attachments_are_told_of() {
        let ours = Link {
            name: "o-1".into(),
            kind: Some("veth".into()),
            alias: "ours:1".into(),
            group: LINK_GROUP,
            ..Link::default()
        };
        let stranger = Link {
            group: 0,
            ..ours.clone()
        };
        let mut bridges = Bridges::default();
        assert_eq!(bridges.observe(Event::Gone(stranger)), []);
        assert_eq!(bridges.observe(Event::Seen(ours.clone())), []);
        let gone = LinkChange::AttachmentGone {
            host_interface: "o-1".into(),
            alias: "ours:1".into(),
        };
        assert_eq!(bridges.observe(Event::Gone(ours)), [gone]);
    }
}
