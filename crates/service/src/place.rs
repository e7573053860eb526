//! Chooses the host of a new instance of a service.
//!
//! [`choose`] is pure. It is given the hosts that the daemon can use, with what each carries now.

use orchestrator_model::{Host, HostId, HostState};

use crate::Placement;

/// A host that instances may be placed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHost {
    /// Its id.
    pub id: HostId,
    /// Its name. A placement may name a host by this, or by its id.
    pub name: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Whether it may be given instances.
    pub state: HostState,
}

impl From<Host> for KnownHost {
    fn from(host: Host) -> Self {
        Self {
            id: host.id,
            name: host.name,
            roles: host.roles,
            state: host.state,
        }
    }
}

/// The instances that a host carries, and whether it has room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// The instances of this service.
    pub of_service: u32,
    /// Those among them that belong to the same version and do not drain.
    pub of_version: u32,
    /// Those among them that were tried and are not up.
    pub failing: u32,
    /// The instances of all owners.
    pub all: u64,
    /// Whether its limits leave no room for one more.
    pub is_full: bool,
}

/// Why no host can have an instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHost {
    /// The daemon has no host at all.
    #[error("no host is known")]
    Nothing,
    /// The placement names a host that is not there.
    #[error("host {0} is not known")]
    Unknown(String),
    /// The placement names a role that no host has.
    #[error("no host has the role {0}")]
    NoRole(String),
    /// The host that the placement names lacks the role that it names.
    #[error("host {host} does not have the role {role}")]
    LacksRole {
        /// The name of the host.
        host: String,
        /// The role.
        role: String,
    },
    /// The hosts that could have it are given no new instances.
    #[error("host {0} takes no new instances: it is {1}")]
    Closed(String, &'static str),
    /// The hosts that could have it have one each, and no two may share a host.
    #[error(
        "each host that may have it has an instance of this version already, and `placement.unique` allows no second one"
    )]
    Taken,
}

/// The host of a new instance: one that the placement allows and that is given new instances.
///
/// Hosts with room are preferred, then those where no instance of the service fails. With `spread`, the host with the fewest
/// instances of the service comes next. The fewest instances at all and then the name decide the rest.
///
/// # Errors
///
/// Why there is none.
pub fn choose<'h>(placement: &Placement, hosts: &'h [(KnownHost, Carried)]) -> Result<&'h KnownHost, NoHost> {
    let named = named(placement, hosts)?;
    let fitting = with_role(placement, named)?;
    let is_open = |(host, _): &&(KnownHost, Carried)| host.state == HostState::Active;
    let open: Vec<_> = fitting.iter().copied().filter(|one| is_open(one)).collect();
    if let (true, Some((host, _))) = (open.is_empty(), fitting.first()) {
        return Err(NoHost::Closed(host.name.clone(), host.state.word()));
    }
    let is_free = |(_, carried): &&(KnownHost, Carried)| !placement.unique || carried.of_version == 0;
    let best = open.into_iter().filter(is_free).min_by_key(|(host, carried)| {
        let own = match placement.spread {
            true => carried.of_service,
            false => 0,
        };
        (carried.is_full, carried.failing, own, carried.all, &host.name)
    });
    best.map(|(host, _)| host).ok_or(NoHost::Taken)
}

/// Places so many instances of one version on hosts that carry nothing of the service yet.
///
/// # Errors
///
/// How many found a host, and why the next one did not.
pub fn rehearse(placement: &Placement, count: u32, hosts: &[KnownHost]) -> Result<(), (u32, NoHost)> {
    let mut hosts: Vec<_> = hosts.iter().map(|host| (host.clone(), Carried::default())).collect();
    // Without `unique`, any number of instances may share a host: if the first one finds a host, all do.
    let count = match placement.unique {
        true => count,
        false => count.min(1),
    };
    for placed in 0..count {
        let chosen = choose(placement, &hosts).map(|host| host.id.clone());
        let chosen = chosen.map_err(|reason| (placed, reason))?;
        let taken = hosts.iter_mut().filter(|(host, _)| host.id == chosen);
        taken.for_each(|(_, carried)| carried.add_one());
    }
    Ok(())
}

impl Carried {
    /// One more instance of the same version is placed on the host.
    pub fn add_one(&mut self) {
        self.of_service += 1;
        self.of_version += 1;
        self.all += 1;
    }
}

/// The hosts that the placement names: one, or all.
fn named<'h>(
    placement: &Placement,
    hosts: &'h [(KnownHost, Carried)],
) -> Result<Vec<&'h (KnownHost, Carried)>, NoHost> {
    let Some(name) = &placement.host else {
        return match hosts.is_empty() {
            true => Err(NoHost::Nothing),
            false => Ok(hosts.iter().collect()),
        };
    };
    let by_name = hosts.iter().find(|(host, _)| host.name == *name);
    let by_id = || hosts.iter().find(|(host, _)| host.id.as_str() == name);
    let found = by_name.or_else(by_id);
    found.map(|one| vec![one]).ok_or_else(|| NoHost::Unknown(name.clone()))
}

/// Those of the hosts that have the role of the placement.
fn with_role<'h>(
    placement: &Placement,
    hosts: Vec<&'h (KnownHost, Carried)>,
) -> Result<Vec<&'h (KnownHost, Carried)>, NoHost> {
    let Some(role) = &placement.role else {
        return Ok(hosts);
    };
    let fitting: Vec<_> = hosts
        .into_iter()
        .filter(|(host, _)| host.roles.contains(role))
        .collect();
    match (fitting.is_empty(), &placement.host) {
        (false, _) => Ok(fitting),
        (true, Some(host)) => Err(NoHost::LacksRole {
            host: host.clone(),
            role: role.clone(),
        }),
        (true, None) => Err(NoHost::NoRole(role.clone())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(name: &str, roles: &[&str], state: HostState) -> KnownHost {
        KnownHost {
            id: HostId::new(format!("id-{name}")),
            name: name.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            state,
        }
    }

    /// Three hosts, of which `a` is public and `c` drains.
    fn three() -> Vec<(KnownHost, Carried)> {
        [
            host("a", &["public"], HostState::Active),
            host("b", &[], HostState::Active),
            host("c", &["batch"], HostState::Draining),
        ]
        .map(|host| (host, Carried::default()))
        .into()
    }

    fn placement(host: Option<&str>, role: Option<&str>) -> Placement {
        Placement {
            host: host.map(str::to_owned),
            role: role.map(str::to_owned),
            ..Placement::default()
        }
    }

    #[test]
    fn a_host_is_found_by_its_name_its_id_and_its_role() {
        let hosts = three();
        for (host, role, expected) in [
            (None, None, Ok("a")),
            (Some("b"), None, Ok("b")),
            (Some("id-b"), None, Ok("b")),
            (None, Some("public"), Ok("a")),
            (Some("d"), None, Err("host d is not known")),
            (None, Some("edge"), Err("no host has the role edge")),
            (Some("b"), Some("public"), Err("host b does not have the role public")),
            (
                None,
                Some("batch"),
                Err("host c takes no new instances: it is draining"),
            ),
        ] {
            let chosen = choose(&placement(host, role), &hosts);
            let chosen = chosen
                .map(|host| host.name.clone())
                .map_err(|reason| reason.to_string());
            assert_eq!(
                chosen,
                expected.map(str::to_owned).map_err(str::to_owned),
                "{host:?} {role:?}"
            );
        }
        assert_eq!(choose(&Placement::default(), &[]), Err(NoHost::Nothing));
    }

    #[test]
    fn room_counts_before_failures_and_those_before_the_number_of_instances() {
        let mut hosts = three();
        let first = |hosts: &[(KnownHost, Carried)]| choose(&Placement::default(), hosts).unwrap().name.clone();
        hosts[1].1.of_service = 1;
        assert_eq!(first(&hosts), "a");
        hosts[0].1.failing = 1;
        assert_eq!(first(&hosts), "b");
        hosts[1].1.is_full = true;
        assert_eq!(first(&hosts), "a");
        hosts[0].1.is_full = true;
        assert_eq!(first(&hosts), "b", "where all are full, it waits for its turn on one");
    }

    #[test]
    fn without_spread_the_fewest_instances_of_all_owners_decide() {
        let mut hosts = three();
        (hosts[0].1.all, hosts[1].1.all, hosts[1].1.of_service) = (5, 4, 4);
        let together = Placement {
            spread: false,
            ..Placement::default()
        };
        assert_eq!(choose(&together, &hosts).unwrap().name, "b");
        assert_eq!(choose(&Placement::default(), &hosts).unwrap().name, "a");
    }

    #[test]
    fn a_rehearsal_says_which_one_finds_no_host() {
        let hosts: Vec<KnownHost> = three().into_iter().map(|(host, _)| host).collect();
        let unique = Placement {
            unique: true,
            ..Placement::default()
        };
        assert_eq!(rehearse(&unique, 2, &hosts), Ok(()));
        assert_eq!(rehearse(&unique, 3, &hosts), Err((2, NoHost::Taken)));
        assert_eq!(rehearse(&Placement::default(), 300, &hosts), Ok(()));
        assert_eq!(rehearse(&unique, 0, &[]), Ok(()));
        let edge = placement(None, Some("edge"));
        assert_eq!(rehearse(&edge, 2, &hosts), Err((0, NoHost::NoRole("edge".to_owned()))));
    }

    fn any_host() -> impl Strategy<Value = (KnownHost, Carried)> {
        let states = prop_oneof![
            Just(HostState::Active),
            Just(HostState::Draining),
            Just(HostState::Retired)
        ];
        let roles = prop::collection::vec(prop_oneof![Just("public"), Just("batch")], 0..3);
        let carried = (0..3_u32, 0..3_u32, 0..2_u32, 0..4_u64, any::<bool>());
        (states, roles, carried).prop_map(|(state, roles, (of_service, of_version, failing, all, is_full))| {
            let carried = Carried {
                of_service,
                of_version,
                failing,
                all,
                is_full,
            };
            (host("", &roles, state), carried)
        })
    }

    prop_compose! {
        fn any_hosts()(mut hosts in prop::collection::vec(any_host(), 0..5)) -> Vec<(KnownHost, Carried)> {
            for (index, (host, _)) in hosts.iter_mut().enumerate() {
                host.name = format!("h{index}");
                host.id = HostId::new(host.name.clone());
            }
            hosts
        }
    }

    prop_compose! {
        fn any_placement()(
            role in prop_oneof![Just(None), Just(Some("public")), Just(Some("batch"))],
            name in prop_oneof![3 => Just(None), 1 => Just(Some("h1"))],
            spread in any::<bool>(),
            unique in any::<bool>(),
        ) -> Placement {
            Placement { spread, unique, ..placement(name, role) }
        }
    }

    proptest! {
        #[test]
        fn a_chosen_host_is_allowed_and_no_allowed_host_is_passed_over(
            hosts in any_hosts(),
            placement in any_placement(),
        ) {
            let allows = |(host, carried): &&(KnownHost, Carried)| {
                placement.host.as_ref().is_none_or(|name| *name == host.name)
                    && placement.role.as_ref().is_none_or(|role| host.roles.contains(role))
                    && host.state == HostState::Active
                    && (!placement.unique || carried.of_version == 0)
            };
            let allowed: Vec<_> = hosts.iter().filter(allows).collect();
            match choose(&placement, &hosts) {
                Err(_) => prop_assert!(allowed.is_empty()),
                Ok(chosen) => {
                    let (_, of_chosen) = allowed.iter().find(|(host, _)| host.id == chosen.id).unwrap();
                    let has_room = allowed.iter().any(|(_, carried)| !carried.is_full);
                    prop_assert!(!has_room || !of_chosen.is_full);
                    let alike = allowed.iter().filter(|(_, other)| {
                        (other.is_full, other.failing) == (of_chosen.is_full, of_chosen.failing)
                    });
                    for (_, other) in alike {
                        prop_assert!(!placement.spread || of_chosen.of_service <= other.of_service);
                        prop_assert!(placement.spread || of_chosen.all <= other.all);
                    }
                }
            }
        }

        #[test]
        fn instances_that_are_spread_differ_by_one_at_most(count in 0..20_usize, hosts in 1..5_usize) {
            let mut hosts: Vec<_> = (0..hosts)
                .map(|index| (host(&format!("h{index}"), &[], HostState::Active), Carried::default()))
                .collect();
            for _ in 0..count {
                let chosen = choose(&Placement::default(), &hosts).unwrap().id.clone();
                hosts.iter_mut().filter(|(host, _)| host.id == chosen).for_each(|(_, carried)| carried.add_one());
            }
            let numbers = || hosts.iter().map(|(_, carried)| carried.of_service);
            prop_assert!(numbers().max().unwrap() - numbers().min().unwrap() <= 1);
        }
    }
}
