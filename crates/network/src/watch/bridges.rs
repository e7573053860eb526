//! The known state of bridges and attachments, and the events that change it.

use std::collections::{HashMap, HashSet};

use super::event::Event;
use super::{EntryEvent, LinkChange};
use crate::entry::tail;
use crate::join::is_end;
use crate::link::Link;
use crate::port::PortSettings;

/// The bridges and attachments that there are, by index.
#[derive(Debug, Default)]
pub(super) struct Bridges {
    bridges: HashMap<u32, Bridge>,
    attachments: HashMap<u32, Attachment>,
}

/// The state of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bridge {
    name: String,
    up: bool,
    mac: Option<[u8; 6]>,
}

/// The state of an attachment's host end whose changes are reported.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attachment {
    name: String,
    alias: String,
    up: bool,
    controller: Option<u32>,
    settings: PortSettings,
    /// Its link-layer address: that of the inside end but for its first octet.
    mac: Option<[u8; 6]>,
}

impl Bridges {
    pub(super) fn of(links: Vec<Link>) -> Self {
        let mut known = Self::default();
        for link in links {
            known.observe(Event::Seen(link));
        }
        known
    }

    /// The bridge that an event gives another link-layer address, and that address.
    pub(super) fn readdressed(&self, event: &Event) -> Option<(u32, Option<[u8; 6]>)> {
        let Event::Seen(link) = event else { return None };
        let known = self.bridges.get(&link.index)?;
        (link.is_kind("bridge") && known.mac != link.mac).then_some((link.index, link.mac))
    }

    /// Applies an event, and returns what changed.
    pub(super) fn observe(&mut self, event: Event) -> Vec<LinkChange> {
        match event {
            Event::Seen(link) if link.is_kind("bridge") => self.see(link),
            Event::Seen(link) if is_attachment(&link) => self.see_attachment(link).into_iter().collect(),
            Event::Port { index, settings } => self.see_port(index, settings).into_iter().collect(),
            Event::Gone(link) if link.is_kind("bridge") => {
                let known = self.bridges.remove(&link.index);
                known
                    .map(|Bridge { name, .. }| LinkChange::BridgeGone { name })
                    .into_iter()
                    .collect()
            }
            Event::Gone(link) if is_attachment(&link) => {
                self.attachments.remove(&link.index);
                vec![LinkChange::AttachmentGone {
                    host_interface: link.name,
                    alias: link.alias,
                }]
            }
            _ => Vec::new(),
        }
    }

    fn see_attachment(&mut self, link: Link) -> Option<LinkChange> {
        let index = link.index;
        let now = Attachment {
            name: link.name,
            alias: link.alias,
            up: link.up,
            controller: link.controller,
            settings: link.port,
            mac: link.mac,
        };
        let before = self.attachments.insert(index, now.clone())?;
        now.changed_from(&before)
    }

    fn see_port(&mut self, index: u32, settings: PortSettings) -> Option<LinkChange> {
        let now = self.attachments.get_mut(&index)?;
        let before = now.clone();
        now.settings = settings;
        now.changed_from(&before)
    }

    /// The change to report when a forwarding entry of an instance's link-layer address is no longer as it was made: it is
    /// gone, is of another port, or may be moved.
    pub(super) fn observe_entry(&self, event: EntryEvent) -> Option<LinkChange> {
        let mut all = self.attachments.iter();
        let (index, of) = all.find(|(_, attachment)| attachment.is_inside(event.mac))?;
        (!event.fixed || event.port != *index).then(|| of.changed())
    }

    /// The changes to report when these are all forwarding entries that there are.
    pub(super) fn not_fixed(&self, entries: &[EntryEvent]) -> Vec<LinkChange> {
        let fixed = entries.iter().filter(|entry| entry.fixed);
        let fixed: HashSet<_> = fixed.map(|entry| (entry.port, tail(entry.mac))).collect();
        let is_fixed = |index: u32, mac| fixed.contains(&(index, tail(mac)));
        let mut changed = Vec::new();
        for (index, attachment) in &self.attachments {
            if attachment.mac.is_some_and(|mac| !is_fixed(*index, mac)) {
                changed.push(attachment.changed());
            }
        }
        changed
    }

    fn see(&mut self, link: Link) -> Vec<LinkChange> {
        let now = Bridge {
            name: link.name.clone(),
            up: link.up,
            mac: link.mac,
        };
        let before = self.bridges.insert(link.index, now);
        let same = |before: &Bridge| before.name == link.name && before.up == link.up;
        if before.as_ref().is_some_and(same) {
            return Vec::new();
        }
        let renamed = before.filter(|before| before.name != link.name);
        let gone = renamed.map(|before| LinkChange::BridgeGone { name: before.name });
        let name = link.name;
        let here = if link.up {
            LinkChange::BridgeUp { name }
        } else {
            LinkChange::BridgeDown { name }
        };
        gone.into_iter().chain([here]).collect()
    }
}

impl Attachment {
    /// The change to report, if any. An attachment is down while we create it; changes during that time are our own.
    fn changed_from(&self, before: &Self) -> Option<LinkChange> {
        let same = (self.up, self.controller, self.settings) == (before.up, before.controller, before.settings);
        (before.up && !same).then(|| self.changed())
    }

    fn changed(&self) -> LinkChange {
        LinkChange::AttachmentChanged {
            host_interface: self.name.clone(),
            alias: self.alias.clone(),
        }
    }

    /// Whether this is the link-layer address of its inside end.
    fn is_inside(&self, mac: [u8; 6]) -> bool {
        self.mac.is_some_and(|host| host != mac && tail(host) == tail(mac))
    }
}

/// Whether a link is the host end of an attachment, with its mark.
fn is_attachment(link: &Link) -> bool {
    link.is_kind("veth") && link.is_ours() && !link.alias.is_empty() && !is_end(link)
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
    fn another_link_layer_address_of_a_bridge_is_seen_and_no_change_to_report() {
        let with = |index, mac| {
            Event::Seen(Link {
                index,
                mac: Some(mac),
                ..bridge("br0", true)
            })
        };
        let mut bridges = Bridges::default();
        assert_eq!(bridges.readdressed(&with(2, [2; 6])), None, "a new one has no entries");
        bridges.observe(with(2, [2; 6]));
        assert_eq!(bridges.readdressed(&with(2, [2; 6])), None);
        assert_eq!(bridges.readdressed(&with(2, [1; 6])), Some((2, Some([1; 6]))));
        assert_eq!(bridges.observe(with(2, [1; 6])), []);
        assert_eq!(bridges.readdressed(&with(2, [1; 6])), None);
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

    #[test]
    fn a_forwarding_entry_that_is_not_as_it_was_made_is_a_change_of_its_attachment() {
        let mac = |first| [first, 0, 0, 0, 0, 7];
        let ours = Link {
            index: 5,
            name: "o-1".into(),
            kind: Some("veth".into()),
            alias: "ours:1".into(),
            group: LINK_GROUP,
            up: true,
            mac: Some(mac(0xfe)),
            ..Link::default()
        };
        let bridges = Bridges::of(vec![ours]);
        let entry = |port, first, fixed| EntryEvent {
            port,
            mac: mac(first),
            fixed,
        };
        let is_change = |event| bridges.observe_entry(event).is_some();
        assert!(!is_change(entry(5, 2, true)), "as it was made");
        assert!(is_change(entry(5, 2, false)), "gone, or one that ages");
        assert!(is_change(entry(6, 2, true)), "of another port");
        assert!(!is_change(entry(5, 0xfe, false)), "the kernel's own of the host end");
        let other = EntryEvent {
            mac: [2, 0, 0, 0, 0, 8],
            ..entry(5, 2, false)
        };
        assert!(!is_change(other), "of somebody else");
        assert_eq!(bridges.not_fixed(&[entry(5, 2, true)]), []);
        assert_eq!(
            bridges
                .not_fixed(&[entry(5, 2, false), entry(6, 2, true), entry(5, 0xfe, false)])
                .len(),
            1
        );
    }

    #[test]
    fn an_attachment_that_changes_after_it_was_made_is_told_of() {
        let port = |up, isolated, controller| Link {
            index: 5,
            name: "o-1".into(),
            kind: Some("veth".into()),
            alias: "ours:1".into(),
            group: LINK_GROUP,
            up,
            port: PortSettings::of_instance(isolated),
            controller,
            ..Link::default()
        };
        let changed = || {
            [LinkChange::AttachmentChanged {
                host_interface: "o-1".into(),
                alias: "ours:1".into(),
            }]
        };
        let mut bridges = Bridges::default();
        // While it is made.
        assert_eq!(bridges.observe(Event::Seen(port(false, false, Some(2)))), []);
        assert_eq!(bridges.observe(Event::Seen(port(true, true, Some(2)))), []);
        // Other numbers are no attachments.
        let of = |index, isolated| Event::Port {
            index,
            settings: PortSettings::of_instance(isolated),
        };
        assert_eq!(bridges.observe(of(6, false)), []);
        assert_eq!(bridges.observe(of(5, true)), []);
        assert_eq!(bridges.observe(of(5, false)), changed());
        assert_eq!(bridges.observe(of(5, false)), []);
        assert_eq!(bridges.observe(Event::Seen(port(true, true, Some(2)))), changed());
        assert_eq!(bridges.observe(Event::Seen(port(true, true, None))), changed());
        assert_eq!(bridges.observe(Event::Seen(port(false, true, None))), changed());
    }
}
