//! From what one HAProxy has in force to what it is to do.

use std::collections::{BTreeMap, BTreeSet};

use crate::actual::{Actual, ActualServer, Admin};
use crate::desired::{Desired, Server, Use};
use crate::name::{BackendId, MapKey, ServerName};
use crate::step::{MapName, Step};

/// How a HAProxy comes to what it is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// By these commands, in this order; by none if all is as it is to be.
    Steps(Vec<Step>),
    /// By reading its files anew.
    Reload(Reload),
}

/// Why HAProxy has to read its files anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reload {
    /// Its configuration is not of ours: it has just started for the first time.
    First,
    /// The addresses it listens on or its limits changed.
    Frame,
    /// It has too few backends.
    Backends,
}

impl Reload {
    /// The word in metrics and log lines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Frame => "frame",
            Self::Backends => "backends",
        }
    }
}

/// The difference between what a HAProxy has and what it is to have. `frame` is the digest of the part of the
/// configuration that cannot change while it runs.
///
/// What is new comes before what leads to it, and what is old goes after that. A server with sessions whose instance is
/// still there only drains, so that there may be steps left when these are done.
pub fn difference(actual: &Actual, desired: &Desired, frame: &str) -> Difference {
    if actual.frame.is_empty() {
        return Difference::Reload(Reload::First);
    }
    if actual.frame != frame {
        return Difference::Reload(Reload::Frame);
    }
    let has = |id: &BackendId| actual.sizes.get(&id.kind).is_some_and(|size| id.number < *size);
    if !desired.backends.keys().all(has) {
        return Difference::Reload(Reload::Backends);
    }
    let mut steps = Vec::new();
    new_certificates(actual, desired, &mut steps);
    new_servers(actual, desired, &mut steps);
    maps(actual, desired, &mut steps);
    old_servers(actual, desired, &mut steps);
    old_certificates(actual, desired, &mut steps);
    Difference::Steps(steps)
}

fn new_servers(actual: &Actual, desired: &Desired, steps: &mut Vec<Step>) {
    for (id, backend) in &desired.backends {
        let found = actual.servers.get(id);
        for (name, server) in &backend.servers {
            match found.and_then(|servers| servers.get(name)) {
                None if server.state == Use::Serve => steps.extend([
                    Step::Add {
                        backend: *id,
                        server: *name,
                        address: server.address,
                    },
                    Step::Check(*id, *name),
                    Step::Ready(*id, *name),
                ]),
                None => {}
                Some(found) => adjust(*id, *name, *found, *server, steps),
            }
        }
    }
}

/// Brings a server that is there into use. Draining comes later.
fn adjust(id: BackendId, name: ServerName, found: ActualServer, wanted: Server, steps: &mut Vec<Step>) {
    if wanted.state == Use::Drain {
        return;
    }
    if found.address != wanted.address {
        steps.push(Step::Move(id, name, wanted.address));
    }
    if !found.is_checked {
        steps.push(Step::Check(id, name));
    }
    if found.admin != Admin::Ready {
        steps.push(Step::Ready(id, name));
    }
}

fn old_servers(actual: &Actual, desired: &Desired, steps: &mut Vec<Step>) {
    for (id, servers) in &actual.servers {
        let wanted = desired.backends.get(id);
        for (name, found) in servers {
            match wanted.and_then(|backend| backend.servers.get(name)) {
                Some(server) if server.state == Use::Serve => {}
                Some(_) if found.sessions > 0 => {
                    if found.admin == Admin::Ready {
                        steps.push(Step::Drain(*id, *name));
                    }
                }
                // Its instance may be there: it drains for one turn, in which a request that is on its way arrives.
                Some(_) if found.admin == Admin::Ready => steps.push(Step::Drain(*id, *name)),
                Some(_) => remove(*id, *name, *found, steps),
                // The route is another one; the instance lives, and its connections go on.
                None if desired.instances.contains(&name.instance)
                    && (found.sessions > 0 || found.admin == Admin::Ready) =>
                {
                    if found.admin == Admin::Ready {
                        steps.push(Step::Drain(*id, *name));
                    }
                }
                None => {
                    if found.admin == Admin::Ready {
                        steps.push(Step::Drain(*id, *name));
                    }
                    if found.sessions > 0 {
                        steps.push(Step::Cut(*id, *name));
                    }
                    remove(*id, *name, *found, steps);
                }
            }
        }
    }
}

fn remove(id: BackendId, name: ServerName, found: ActualServer, steps: &mut Vec<Step>) {
    if found.admin != Admin::Maintenance {
        steps.push(Step::Stop(id, name));
    }
    steps.push(Step::Remove(id, name));
}

fn maps(actual: &Actual, desired: &Desired, steps: &mut Vec<Step>) {
    let texts = |map: &BTreeMap<MapKey, String>| -> BTreeMap<String, String> {
        map.iter()
            .map(|(key, value)| (key.to_string(), value.clone()))
            .collect()
    };
    let found = [
        texts(&actual.plain),
        texts(&actual.encrypted),
        actual.challenges.clone(),
    ];
    for (name, found) in MapName::ALL.into_iter().zip(found) {
        let wanted = desired.entries(name);
        if found != wanted {
            steps.push(Step::Map(name, wanted));
        }
    }
}

impl Desired {
    /// The entries of a map.
    pub fn entries(&self, map: MapName) -> BTreeMap<String, String> {
        let routes = match map {
            MapName::Plain => &self.plain,
            MapName::Encrypted => &self.encrypted,
            MapName::Challenges => {
                let each = self.challenges.iter();
                return each.map(|one| (one.path(), one.answer().to_owned())).collect();
            }
        };
        let each = routes.iter();
        each.map(|(key, target)| (key.to_string(), target.to_string()))
            .collect()
    }
}

fn hosts(certificate: &crate::desired::Certificate) -> BTreeSet<String> {
    certificate.hosts.iter().map(ToString::to_string).collect()
}

fn new_certificates(actual: &Actual, desired: &Desired, steps: &mut Vec<Step>) {
    for (name, certificate) in &desired.certificates {
        let wanted = hosts(certificate);
        let mut lines = actual.shown.get(name).into_iter().flatten();
        if !lines.any(|(_, hosts)| *hosts == wanted) {
            // One that is there and not shown may be without its content: bringing it again does no harm.
            steps.push(Step::Bring(name.clone(), certificate.clone()));
            steps.push(Step::Show(name.clone(), certificate.clone()));
        }
    }
}

fn old_certificates(actual: &Actual, desired: &Desired, steps: &mut Vec<Step>) {
    for (name, lines) in &actual.shown {
        let wanted = desired.certificates.get(name).map(hosts);
        let stays = wanted.and_then(|wanted| lines.iter().find(|(_, hosts)| **hosts == wanted));
        let old = lines
            .keys()
            .filter(|line| stays.is_none_or(|(stays, _)| stays != *line));
        steps.extend(old.map(|line| Step::Hide(name.clone(), *line)));
    }
    let gone = actual
        .certificates
        .iter()
        .filter(|name| !desired.certificates.contains_key(name));
    steps.extend(gone.map(|name| Step::Forget(name.clone())));
}
