//! What is recorded about messages that come from elsewhere than the lease that they are about.

use std::net::Ipv6Addr;

use orchestrator_dhcp6::{Answer, Binding, Change, Elsewhere, Inbound, MessageKind, Place};

use super::watch::Watch;
use orchestrator_model::{Duid, EventKind};

impl Watch {
    /// Records that a Release or Decline was refused. `holder` is the place that holds the lease, if the message
    /// certainly came from elsewhere.
    pub(super) fn tell_refused(&mut self, inbound: &Inbound<'_>, kind: MessageKind, holder: Option<Place>) {
        let Ok(Some(duid)) = inbound.client() else { return };
        let source = *inbound.source.ip();
        let detail = match holder {
            Some(holder) => format!(
                "a {kind} in the client's name came from {source} and was refused: its lease is held from {holder}, and \
                 only its holder can end it"
            ),
            None => format!(
                "a {kind} in the client's name came from {source} and was refused, because its link-layer address was \
                 not observed; the client repeats it"
            ),
        };
        self.note_rarely(&duid, EventKind::MessageRefused, detail);
    }

    /// Records the consequences of an answer to a message from elsewhere. The changes are not applied yet.
    pub(super) fn note_elsewhere(&mut self, inbound: &Inbound<'_>, answer: &Answer) {
        if let Some(Elsewhere::Held(holder)) = answer.elsewhere
            && let Ok(Some(duid)) = inbound.client()
        {
            self.tell_held(&duid, answer.client_address, &holder);
        }
        if let Some((before, change)) = answer.changes.iter().find_map(moved) {
            self.tell_moved(before, change);
        }
    }

    /// Records that two machines use one DUID and IAID at the same time.
    fn tell_held(&mut self, duid: &Duid, from: Ipv6Addr, holder: &Place) {
        let detail = format!(
            "two machines use the DUID {duid} and the same IAID at the same time, from {holder} and {from}; the first holds \
             the lease and answers, so that the other is refused it. If the machine was cloned, give the copy a DUID of \
             its own: remove the DHCP client's file of its DUID, or make /etc/machine-id anew, and restart the client. If \
             it was not, somebody tries to take the lease"
        );
        self.tell_cloned_once(duid, detail);
    }

    fn tell_moved(&mut self, before: &Binding, change: &Change) {
        self.count_move();
        let (from, to) = (&before.place, &change.after.place);
        let detail = format!("the client asks from {to} now; {from}, where it was before, does not answer any more");
        self.note_rarely(&change.after.duid, EventKind::ClientMoved, detail);
    }
}

/// A change by which a client takes its lease to another place, with the binding before.
fn moved(change: &Change) -> Option<(&Binding, &Change)> {
    let before = change.before.as_ref()?;
    let is_own = before.duid == change.after.duid && before.leased == change.after.leased;
    (is_own && before.place.is_elsewhere(&change.after.place)).then_some((before, change))
}
