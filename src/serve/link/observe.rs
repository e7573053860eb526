//! The watch on a link's bridge: what somebody changes about it is mended, and said.
//!
//! What the settings want is compared with what the kernel has, not with what was done last. That happens after every
//! notification about interfaces and addresses, and once a second, as the kernel notifies nobody of some settings.

use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_host::{Bridge, BridgeFlaw, BridgeHazard, BridgePlan, NetworkError, ObservedBridge};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{PERIOD, Parts, apply, condition};
use orchestrator_model::{EventKind, HostId, LeaseSource, NewEvent};
use orchestrator_reconcile::PartOfHost;
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;
use orchestrator_runtime::contention::Contention;
use orchestrator_source::advertiser;
use orchestrator_source::listener;

/// The wait after a notification: what comes with it is looked at once.
const GATHER: Duration = Duration::from_millis(200);
/// How often multicast groups are looked at: the kernel lists those of all interfaces.
const GROUPS_PERIOD: Duration = Duration::from_secs(3);

/// The condition under which hazards of a bridge are shown.
fn hazard_condition(bridge: &str) -> String {
    format!("bridge {bridge}")
}

/// What is known of the bridge that is watched.
struct Watch<'p> {
    parts: &'p Parts,
    part: PartOfHost,
    index: u32,
    /// The settings that were last applied, and the addresses by which hosts know the bridge.
    ensured: BridgePlan,
    contention: Contention,
    hazards: Vec<BridgeHazard>,
    /// Held while there are hazards.
    hazard_condition: Option<Owned>,
    groups_due: Instant,
    /// Groups were missing when it was last looked: a socket that is opened just now joins them in a moment.
    deaf: bool,
    /// It was observed before.
    observed: bool,
}

impl Parts {
    /// Brings the bridge to what the settings want of it, and back to it when somebody changes it. Ends the link's parts
    /// when the bridge is gone or another one by the same name, and when they have to begin anew.
    pub(super) async fn watch_bridge(
        &self,
        bridge: &Bridge,
        ensured: BridgePlan,
        part: PartOfHost,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let mut watch = Watch {
            parts: self,
            part,
            index: bridge.index,
            ensured,
            contention: Contention::default(),
            hazards: Vec::new(),
            hazard_condition: None,
            groups_due: Instant::now() + GROUPS_PERIOD,
            deaf: false,
            observed: false,
        };
        let (mut settings, mut changed) = (self.context.settings.clone(), self.interfaces_changed.clone());
        let mut endpoints = self.endpoints.clone();
        loop {
            if let Err(reason) = watch.look().await {
                stop.cancel();
                return Err(reason);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = settings.changed() => {}
                // A roll changes many at once.
                Ok(()) = endpoints.changed() => sleep(GATHER).await,
                Ok(()) = changed.changed() => sleep(GATHER).await,
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// Records an event of the link. It is written when the store comes to it: nothing waits for it.
    pub(super) fn note(&self, kind: EventKind, detail: String) {
        let event = NewEvent {
            link: Some(self.bridge.clone()),
            host: Some(HostId::local()),
            detail: Some(detail),
            ..NewEvent::new(self.context.clock.now(), kind)
        };
        let store = self.store.clone();
        self.context.tasks.spawn(async move {
            if let Err(fault) = store.append_event(event).await {
                tracing::warn!("could not record {kind}: {}", with_causes(&fault));
            }
        });
    }
}

impl Watch<'_> {
    /// Observes the bridge and does what is to be done about it.
    ///
    /// # Errors
    ///
    /// Why the link's parts have to end: the bridge is gone, or they have to begin anew on it.
    async fn look(&mut self) -> Result<(), String> {
        self.follow_settings().await;
        let groups = self.groups();
        let removed = || format!("bridge {} was removed", self.parts.bridge);
        let observed = match self.part.host().see_bridge(&self.ensured, &groups).await {
            Ok(Some(observed)) if observed.bridge.index == self.index => observed,
            Ok(_) => return Err(removed()),
            Err(fault) => match fault.network() {
                Some(NetworkError::NotABridge { .. }) => return Err(removed()),
                Some(NetworkError::MtuTooSmall { .. }) => {
                    self.set_waiting(with_causes(&fault));
                    return Ok(());
                }
                // A host that does not answer says nothing about the bridge.
                _ => return Ok(()),
            },
        };
        self.show_hazards(&observed);
        self.follow_identity(&observed).await?;
        self.mend(&observed).await?;
        self.observed = true;
        Ok(())
    }

    /// Brings the bridge to what the settings came to want since.
    async fn follow_settings(&mut self) {
        let known = |plan| BridgePlan {
            mac: self.ensured.mac,
            link_local: self.ensured.link_local,
            ..plan
        };
        let plan = self.parts.plan().flatten().map(known);
        let Some(plan) = plan.filter(|plan| *plan != self.ensured) else {
            return;
        };
        match apply(&mut self.part, &plan).await {
            Ok(()) => {
                self.set_ok();
                self.ensured = plan;
            }
            Err(reason) => self.set_waiting(reason),
        }
    }

    /// The multicast groups that the link's sockets must be members of; none while it is too early to look again.
    fn groups(&mut self) -> Vec<Ipv6Addr> {
        if Instant::now() < self.groups_due {
            return Vec::new();
        }
        self.groups_due = Instant::now() + GROUPS_PERIOD;
        let settings = self.parts.context.settings.get();
        let Some(link) = self.parts.link(&settings) else {
            return Vec::new();
        };
        let listens = link.source == LeaseSource::Listener;
        let listened = listener::GROUPS.into_iter().filter(|_| listens);
        let advertises = link.advertisement.is_some();
        listened
            .chain(advertiser::GROUPS.into_iter().filter(|_| advertises))
            .collect()
    }

    /// Mends what is not as planned, unless it was mended too often lately.
    async fn mend(&mut self, observed: &ObservedBridge) -> Result<(), String> {
        let is_group = |flaw: &&BridgeFlaw| matches!(flaw, BridgeFlaw::NotMember(_));
        let (groups, flaws): (Vec<_>, Vec<_>) = observed.flaws.iter().partition(is_group);
        let was_deaf = std::mem::replace(&mut self.deaf, !groups.is_empty());
        if flaws.is_empty() && groups.is_empty() {
            self.show_calm();
            return Ok(());
        }
        if !flaws.is_empty() {
            self.repair(observed, &text(&self.parts.bridge, &flaws)).await;
        }
        if groups.is_empty() {
            return Ok(());
        }
        if !was_deaf {
            // Looked at again at once.
            self.groups_due = Instant::now();
            return Ok(());
        }
        self.parts.context.metrics.link_repaired(groups[0].word());
        Err(format!(
            "{}; the sockets are opened anew",
            text(&self.parts.bridge, &groups)
        ))
    }

    async fn repair(&mut self, observed: &ObservedBridge, text: &str) {
        if !self.contention.may_mend() {
            return self.set_waiting(self.said(text));
        }
        self.set_waiting(self.said(text));
        let parts = self.parts;
        // It also announces the bridge's addresses to hosts.
        let repaired = apply(&mut self.part, &self.ensured).await;
        self.contention.mended();
        if let Err(reason) = repaired {
            parts.context.metrics.link_repair_failed();
            return self.set_waiting(format!("{text}: {reason}"));
        }
        for flaw in &observed.flaws {
            parts.context.metrics.link_repaired(flaw.word());
        }
        tracing::warn!(link = parts.bridge, "{}: mended", self.said(text));
        parts.note(EventKind::LinkDisturbed, format!("{}: mended", self.said(text)));
        // Routes through the bridge went with its addresses.
        parts.context.notifications.notify_prefixes();
        self.show_calm();
    }

    /// What is said about flaws, with who may be at work where that is so.
    fn said(&self, text: &str) -> String {
        match self.contention.contended() {
            None => text.to_owned(),
            Some(times) => format!("{text}; {}", blame(&self.parts.bridge, times)),
        }
    }

    /// Shows that the bridge is as planned; also who keeps changing it, for a while.
    fn show_calm(&self) {
        match self.contention.contended() {
            None => self.set_ok(),
            Some(times) => {
                let conditions = &self.parts.context.conditions;
                conditions.set_wrong(&condition(&self.parts.bridge), blame(&self.parts.bridge, times));
            }
        }
    }

    /// Takes up what hosts know the bridge by, and tells them when that changed.
    async fn follow_identity(&mut self, observed: &ObservedBridge) -> Result<(), String> {
        let (bridge, now) = (&observed.bridge, &observed.identity);
        // That of a bridge of ours is given back.
        if self.ensured.mac.is_none() || !bridge.ours {
            let before = std::mem::replace(&mut self.ensured.mac, now.mac);
            if before.is_some() && before != now.mac {
                let detail = format!("bridge {} has another link-layer address: hosts were told", bridge.name);
                tracing::info!(link = self.parts.bridge, "{detail}");
                self.parts.note(EventKind::LinkDisturbed, detail);
                if let Err(reason) = apply(&mut self.part, &self.ensured).await {
                    tracing::debug!(link = self.parts.bridge, reason, "not announced");
                }
            }
        }
        let Some(link_local) = now.link_local else {
            return Ok(());
        };
        match self.ensured.link_local.replace(link_local) {
            Some(before) if before != link_local => Err(format!(
                "the link-local address of bridge {} changed from {before} to {link_local}: the link is served anew, so \
                 that hosts learn their router's new address",
                bridge.name
            )),
            _ => Ok(()),
        }
    }

    /// Shows what somebody else has to mend.
    fn show_hazards(&mut self, observed: &ObservedBridge) {
        if self.hazards == observed.hazards {
            return;
        }
        self.hazards.clone_from(&observed.hazards);
        let name = hazard_condition(&self.parts.bridge);
        let conditions = &self.parts.context.conditions;
        if self.hazards.is_empty() {
            self.hazard_condition = None;
            return;
        }
        let said: Vec<String> = self.hazards.iter().map(ToString::to_string).collect();
        let said = said.join("; ");
        if self.hazard_condition.is_none() {
            self.hazard_condition = Some(conditions.own(&name));
        }
        conditions.set_wrong(&name, said.as_str());
        if self.observed {
            self.parts.note(
                EventKind::LinkDisturbed,
                format!("bridge {}: {said}", self.parts.bridge),
            );
        }
    }

    fn set_ok(&self) {
        self.parts.context.conditions.set_ok(&condition(&self.parts.bridge));
    }

    fn set_waiting(&self, reason: String) {
        let conditions = &self.parts.context.conditions;
        conditions.set_waiting(&condition(&self.parts.bridge), reason);
    }
}

/// What is said of flaws.
fn text(bridge: &str, flaws: &[&BridgeFlaw]) -> String {
    let said: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    format!("somebody changed bridge {bridge}: {}", said.join(", "))
}

/// What is said when a bridge was mended so many times and changed again.
fn blame(bridge: &str, times: u32) -> String {
    format!(
        "something else manages {bridge} too, and changed it {times} times after it was mended; have it leave {bridge} \
         alone (systemd-networkd: Unmanaged=yes for it; NetworkManager: unmanaged-devices; ifupdown: no stanza), or \
         have it configure the link's address there itself"
    )
}
