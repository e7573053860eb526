//! The settings of a port of a bridge.

use netlink_packet_core::Nla;
use netlink_packet_route::link::{InfoBridgePort, LinkProtoInfoBridge};

/// The settings of a port of a bridge that matter to us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PortSettings {
    /// Whether other isolated ports cannot reach it.
    pub(crate) isolated: bool,
    /// Whether frames from it pass only with a source that has an entry at it. `None` where the kernel has no such setting
    /// (it came with Linux 5.18).
    pub(crate) locked: Option<bool>,
    /// Whether the bridge learns sources from it.
    pub(crate) learning: bool,
    /// Whether it gets unicast frames for which the bridge has no entry.
    pub(crate) unicast_flood: bool,
    /// Whether it gets broadcast frames. IPv6 sends none.
    pub(crate) broadcast_flood: bool,
}

impl PortSettings {
    /// The settings of an instance's port.
    ///
    /// One that is isolated has a single link-layer address, which is fixed, and speaks IPv6: its port is locked, learns
    /// nothing, and gets nothing but what is for this address, and multicast. One that is not has the kernel's defaults.
    pub(crate) fn of_instance(isolated: bool) -> Self {
        Self {
            isolated,
            locked: Some(isolated),
            learning: !isolated,
            unicast_flood: !isolated,
            broadcast_flood: !isolated,
        }
    }

    /// Whether they are these, as far as the kernel has them.
    pub(crate) fn are(self, wanted: Self) -> bool {
        self == Self {
            locked: self.locked.and(wanted.locked),
            ..wanted
        }
    }

    /// As they are set.
    pub(crate) fn attributes(self) -> Vec<InfoBridgePort> {
        let mut all = vec![
            InfoBridgePort::Isolated(self.isolated),
            InfoBridgePort::Learning(self.learning),
            InfoBridgePort::UnicastFlood(self.unicast_flood),
            InfoBridgePort::BroadcastFlood(self.broadcast_flood),
        ];
        all.extend(self.locked.map(InfoBridgePort::Locked));
        all
    }

    /// Takes in one setting, in a message about the link.
    pub(crate) fn learn(&mut self, setting: &InfoBridgePort) {
        match setting {
            InfoBridgePort::Isolated(isolated) => self.isolated = *isolated,
            InfoBridgePort::Locked(locked) => self.locked = Some(*locked),
            InfoBridgePort::Learning(learning) => self.learning = *learning,
            InfoBridgePort::UnicastFlood(flood) => self.unicast_flood = *flood,
            InfoBridgePort::BroadcastFlood(flood) => self.broadcast_flood = *flood,
            _ => {}
        }
    }

    /// Takes in one setting, in a message about the ports of a bridge: its number (`IFLA_BRPORT_…`) and its value.
    pub(crate) fn learn_flag(&mut self, setting: &LinkProtoInfoBridge) {
        let mut value = [0];
        if setting.value_len() != value.len() {
            return;
        }
        setting.emit_value(&mut value);
        let on = value == [1];
        match setting.kind() {
            8 => self.learning = on,
            9 => self.unicast_flood = on,
            30 => self.broadcast_flood = on,
            33 => self.isolated = on,
            39 => self.locked = Some(on),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_back_as_they_are_set() {
        for isolated in [true, false] {
            let wanted = PortSettings::of_instance(isolated);
            let mut found = PortSettings::default();
            wanted.attributes().iter().for_each(|setting| found.learn(setting));
            assert_eq!(found, wanted);
            assert!(found.are(wanted) && !found.are(PortSettings::of_instance(!isolated)));
        }
    }

    #[test]
    fn each_setting_counts() {
        let wanted = PortSettings::of_instance(true);
        let spoils: [fn(&mut PortSettings); 5] = [
            |port| port.isolated = false,
            |port| port.locked = Some(false),
            |port| port.learning = true,
            |port| port.unicast_flood = true,
            |port| port.broadcast_flood = true,
        ];
        for (number, spoil) in spoils.iter().enumerate() {
            let mut found = wanted;
            spoil(&mut found);
            assert!(!found.are(wanted), "spoil {number}");
        }
        // A kernel without the setting.
        let old = PortSettings { locked: None, ..wanted };
        assert!(old.are(wanted));
    }
}
