//! Enumerations: each variant of the model has one of the API.

use orchestrator_api_types as wire;
use orchestrator_model::{
    DeadlineCause, EventKind, Expiry, Learnt, LeaseSource, LeaseState, Origin, Phase, PolicyDirection, Verdict,
    VolumeState,
};
use orchestrator_settings::Effect;

use super::IntoWire;

macro_rules! same {
    ($($type:ident { $($variant:ident),+ $(,)? })+) => {
        $(
            impl IntoWire for $type {
                type Wire = wire::$type;

                fn into_wire(self) -> wire::$type {
                    match self { $(Self::$variant => wire::$type::$variant),+ }
                }
            }
        )+
    };
}

same! {
    LeaseSource { Listener, Dnsmasq, Registration, Neighbor }
    LeaseState { Active, Released, Expired, Declined }
    Phase { Pending, Starting, Ready, Ending, Stopped, Removing, Removed }
    DeadlineCause { Lifetime, Idle, Grace, Kept }
    Expiry { Lifetime, Idle, Operator }
    Origin { Settings, Api }
    VolumeState { Kept, Removing }
    Learnt { Lease, Registration, DelegatedPrefix, LinkLocal, Neighbor, Instance, RoutedPrefix }
    PolicyDirection { Out, In, Both }
    Verdict { Allowed, Partly, Dropped, WouldBeDropped, NotChecked }
    Effect { Added, Removed, Changed, NeedsRestart }
    EventKind {
        LeaseGranted,
        LeaseReleased,
        LeaseExpired,
        LeaseDeclined,
        QuarantineLifted,
        MessageRefused,
        ClientMoved,
        ClonedDuid,
        SharedDuid,
        ClientLimit,
        ReconfigureUnanswered,
        InstanceWaiting,
        InstanceWanted,
        InstanceAddressed,
        InstanceReady,
        InstanceFailed,
        InstanceDisturbed,
        InstanceOutput,
        InstanceRestarted,
        InstanceEnding,
        InstanceKept,
        InstanceStopped,
        InstanceWarned,
        InstanceExpired,
        InstancePinned,
        InstanceUnpinned,
        InstanceSwitchedOff,
        InstanceSwitchedOn,
        InstanceReset,
        InstanceExec,
        InstanceExtended,
        InstanceAdopted,
        InstanceDestroyed,
        InstanceRemoved,
        LinkDisturbed,
        PacketsDropped,
        RulesRestored,
        OtherServer,
        OtherRouter,
        TemplateCreated,
        TemplateChanged,
        TemplateRemoved,
        TemplateMissing,
        VolumeCreated,
        VolumeExpired,
        VolumeDestroyed,
        VolumeRemoved,
        ReleaseRequested,
        LiftRequested,
        ReconfigureRequested,
        Reserved,
        Unreserved,
        IdentityLimit,
        Paused,
        Resumed,
        KeysChanged,
        SettingsReloaded,
        OrphanRemoved,
        ImageLoaded,
        ImagePulled,
        ImageRemoved,
        ImagePinned,
        RegistryLogin,
        RegistryLogout,
        TokenAdded,
        TokenRotated,
        TokenRemoved,
        KvSet,
        KvRemoved,
        ServiceDeployed,
        ServiceScaled,
        ServiceRolled,
        ServiceRolledBack,
        ServicePaused,
        ServiceResumed,
        ServiceRemoving,
        ServiceRemoved,
        SlotOpened,
        SlotDraining,
        SlotClosed,
        HealthChanged,
        ClockSet,
        Refused,
    }
}

/// Converts the word of a query into the model's.
pub(crate) fn phase(asked: wire::Phase) -> Phase {
    match asked {
        wire::Phase::Pending => Phase::Pending,
        wire::Phase::Starting => Phase::Starting,
        wire::Phase::Ready => Phase::Ready,
        wire::Phase::Ending => Phase::Ending,
        wire::Phase::Stopped => Phase::Stopped,
        wire::Phase::Removing => Phase::Removing,
        wire::Phase::Removed => Phase::Removed,
    }
}

/// Converts the word of a query into the model's.
pub(crate) fn lease_state(asked: wire::LeaseState) -> LeaseState {
    match asked {
        wire::LeaseState::Active => LeaseState::Active,
        wire::LeaseState::Released => LeaseState::Released,
        wire::LeaseState::Expired => LeaseState::Expired,
        wire::LeaseState::Declined => LeaseState::Declined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_api_are_those_of_the_model() {
        let phases = [
            Phase::Pending,
            Phase::Starting,
            Phase::Ready,
            Phase::Ending,
            Phase::Stopped,
            Phase::Removing,
            Phase::Removed,
        ];
        for one in phases {
            assert_eq!(one.into_wire().word(), one.word());
            assert_eq!(phase(one.into_wire()), one);
        }
        let states = [
            LeaseState::Active,
            LeaseState::Released,
            LeaseState::Expired,
            LeaseState::Declined,
        ];
        for one in states {
            assert_eq!(one.into_wire().word(), one.word());
            assert_eq!(lease_state(one.into_wire()), one);
        }
    }
}
