//! The effect of an event on a lease: a pure function. `model::lease` explains the words.
//!
//! ```text
//!               Hold                Release             Expire, the clock   Decline             Lift
//!   (none)      Granted → active    Unknown             Unknown             Unknown             Unknown
//!   active      Renewed → active    Ended → released    Ended → expired     Ended → declined    Repeated
//!   released    Granted → active    Repeated            Repeated            Ended → declined    Repeated
//!   expired     Granted → active    Repeated            Repeated            Ended → declined    Repeated
//!   declined    Granted → active    Repeated            Repeated            Repeated            Ended → released
//! ```
//!
//! A Hold moves a lease of another client, or of another identity association of the same client, since the source is
//! the authority. Any other verb on such a lease is Unknown. So an address belongs to one association at a time. A
//! replayed change that is older than the lease's last event is Stale. A replayed Hold with the recorded end is
//! Repeated while the lease is active, and Stale once it expired. Stale, Repeated and Unknown change nothing.

use orchestrator_model::{ClientId, Duid, Iaid, LeaseChange, LeaseState, LeaseVerb, Timestamp};

/// Two ends of a lease that differ by less than this, in milliseconds, are equal, because sources report whole seconds.
const SAME_END: u64 = 2000;

/// The recorded lease of an address or prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) client: ClientId,
    pub(super) duid: Duid,
    pub(super) iaid: Iaid,
    pub(super) state: LeaseState,
    pub(super) valid_until: Timestamp,
    pub(super) changed: Timestamp,
}

/// The decision about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// The client holds the address from now on. `ousted` means that another client held it until now.
    Grant { ousted: bool },
    /// The client continues to hold the address.
    Renew,
    /// The lease ends in this state.
    End(LeaseState),
    /// Nothing: the change was already recorded.
    Repeated,
    /// Nothing: the lease has changed since.
    Stale,
    /// Nothing: the client has no such lease.
    Unknown,
}

/// Decides the effect of `change` on the recorded lease of its address.
pub(super) fn decide(known: Option<&Known>, change: &LeaseChange) -> Decision {
    let Some(known) = known else {
        return if change.verb == LeaseVerb::Hold {
            Decision::Grant { ousted: false }
        } else {
            Decision::Unknown
        };
    };
    let own = known.duid == change.duid;
    if !(own && known.iaid == change.iaid) && change.verb != LeaseVerb::Hold {
        return Decision::Unknown;
    }
    if change.replayed && change.at < known.changed {
        return Decision::Stale;
    }
    match change.verb {
        LeaseVerb::Hold => hold(known, own, change),
        LeaseVerb::Release if known.state == LeaseState::Active => Decision::End(LeaseState::Released),
        LeaseVerb::Expire if known.state == LeaseState::Active => Decision::End(LeaseState::Expired),
        LeaseVerb::Decline if known.state != LeaseState::Declined => Decision::End(LeaseState::Declined),
        LeaseVerb::Lift if known.state == LeaseState::Declined => Decision::End(LeaseState::Released),
        _ => Decision::Repeated,
    }
}

fn hold(known: &Known, own: bool, change: &LeaseChange) -> Decision {
    if !own {
        return Decision::Grant {
            ousted: known.state == LeaseState::Active,
        };
    }
    let told_before =
        change.replayed && known.iaid == change.iaid && change.valid_until.0.abs_diff(known.valid_until.0) <= SAME_END;
    match known.state {
        LeaseState::Active if told_before => Decision::Repeated,
        LeaseState::Active => Decision::Renew,
        // This is the hold that ended. A replay does not bring it back.
        LeaseState::Expired if told_before => Decision::Stale,
        _ => Decision::Grant { ousted: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_model::{GrantedTo, Id, LeaseSource};

    fn known(state: LeaseState) -> Known {
        Known {
            client: Id::from_bytes([1; 6]),
            duid: Duid::new([0, 3, 1]).unwrap(),
            iaid: Iaid(1),
            state,
            valid_until: Timestamp(100_000),
            changed: Timestamp(10_000),
        }
    }

    fn change(verb: LeaseVerb) -> LeaseChange {
        LeaseChange {
            verb,
            link: "br0".to_owned(),
            duid: Duid::new([0, 3, 1]).unwrap(),
            iaid: Iaid(1),
            leased: "fd00::1".parse().unwrap(),
            next_hop: None,
            class: None,
            source: LeaseSource::Dnsmasq,
            preferred_until: Timestamp(90_000),
            valid_until: Timestamp(100_000),
            link_layer: None,
            granted_to: GrantedTo::default(),
            hostname: None,
            at: Timestamp(10_000),
            replayed: false,
        }
    }

    #[test]
    fn the_table_in_the_module_doc() {
        use Decision::{End, Grant, Renew, Repeated, Unknown};
        use LeaseState::{Active, Declined, Expired, Released};
        let granted = Grant { ousted: false };
        let rows = [
            (None, [granted, Unknown, Unknown, Unknown, Unknown]),
            (
                Some(Active),
                [Renew, End(Released), End(Expired), End(Declined), Repeated],
            ),
            (Some(Released), [granted, Repeated, Repeated, End(Declined), Repeated]),
            (Some(Expired), [granted, Repeated, Repeated, End(Declined), Repeated]),
            (Some(Declined), [granted, Repeated, Repeated, Repeated, End(Released)]),
        ];
        for (state, decisions) in rows {
            let known = state.map(known);
            let verbs = [
                LeaseVerb::Hold,
                LeaseVerb::Release,
                LeaseVerb::Expire,
                LeaseVerb::Decline,
                LeaseVerb::Lift,
            ];
            for (verb, decision) in verbs.into_iter().zip(decisions) {
                assert_eq!(decide(known.as_ref(), &change(verb)), decision, "{state:?} {verb:?}");
            }
        }
    }

    #[test]
    fn another_clients_address_is_moved_and_otherwise_left_alone() {
        let other = |verb| LeaseChange {
            duid: Duid::new([0, 3, 2]).unwrap(),
            ..change(verb)
        };
        let decided = |state, verb| decide(Some(&known(state)), &other(verb));
        assert_eq!(
            decided(LeaseState::Active, LeaseVerb::Hold),
            Decision::Grant { ousted: true }
        );
        assert_eq!(
            decided(LeaseState::Released, LeaseVerb::Hold),
            Decision::Grant { ousted: false }
        );
        for verb in [LeaseVerb::Release, LeaseVerb::Expire, LeaseVerb::Decline] {
            assert_eq!(decided(LeaseState::Active, verb), Decision::Unknown);
        }
    }

    #[test]
    fn another_association_of_the_client_takes_the_address_and_ends_nothing() {
        let other = |verb| LeaseChange {
            iaid: Iaid(2),
            ..change(verb)
        };
        let known = known(LeaseState::Active);
        assert_eq!(decide(Some(&known), &other(LeaseVerb::Hold)), Decision::Renew);
        for verb in [LeaseVerb::Release, LeaseVerb::Expire, LeaseVerb::Decline] {
            assert_eq!(decide(Some(&known), &other(verb)), Decision::Unknown);
        }
        let replayed = LeaseChange {
            replayed: true,
            ..other(LeaseVerb::Hold)
        };
        assert_eq!(decide(Some(&known), &replayed), Decision::Renew);
    }

    #[test]
    fn a_replay_changes_nothing_unless_it_is_news() {
        let replay = |state, valid_until, at| {
            let hold = change(LeaseVerb::Hold);
            let hold = LeaseChange {
                replayed: true,
                valid_until: Timestamp(valid_until),
                at: Timestamp(at),
                ..hold
            };
            decide(Some(&known(state)), &hold)
        };
        assert_eq!(replay(LeaseState::Active, 200_000, 9_999), Decision::Stale);
        assert_eq!(replay(LeaseState::Active, 102_000, 20_000), Decision::Repeated);
        assert_eq!(replay(LeaseState::Active, 98_000, 20_000), Decision::Repeated);
        assert_eq!(replay(LeaseState::Active, 102_001, 20_000), Decision::Renew);
        assert_eq!(replay(LeaseState::Expired, 100_000, 20_000), Decision::Stale);
        assert_eq!(
            replay(LeaseState::Expired, 200_000, 20_000),
            Decision::Grant { ousted: false }
        );
        assert_eq!(
            replay(LeaseState::Released, 100_000, 20_000),
            Decision::Grant { ousted: false }
        );
    }

    #[test]
    fn live_news_is_never_stale() {
        let late = LeaseChange {
            at: Timestamp(1),
            ..change(LeaseVerb::Release)
        };
        assert_eq!(
            decide(Some(&known(LeaseState::Active)), &late),
            Decision::End(LeaseState::Released)
        );
    }
}
