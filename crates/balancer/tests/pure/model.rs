//! A HAProxy in memory: what commands do to it, and what it refuses.

use std::collections::BTreeSet;

use orchestrator_balancer::{Actual, ActualServer, Admin, MapName, Step};

/// Takes one step. Returns whether it was done. Panics on what HAProxy refuses.
pub(crate) fn take(actual: &mut Actual, step: &Step) -> bool {
    match step {
        Step::Add {
            backend,
            server,
            address,
        } => {
            assert!(
                actual.sizes[&backend.kind] > backend.number,
                "there is no backend {backend}"
            );
            let new = ActualServer {
                address: *address,
                admin: Admin::Maintenance,
                is_up: true,
                is_checked: false,
                sessions: 0,
            };
            let old = actual.servers.entry(*backend).or_default().insert(*server, new);
            assert!(old.is_none(), "{server} is there");
        }
        Step::Check(backend, server) => found(actual, backend, server).is_checked = true,
        Step::Ready(backend, server) => found(actual, backend, server).admin = Admin::Ready,
        Step::Drain(backend, server) => found(actual, backend, server).admin = Admin::Drain,
        Step::Stop(backend, server) => found(actual, backend, server).admin = Admin::Maintenance,
        Step::Move(backend, server, to) => found(actual, backend, server).address = *to,
        Step::Cut(backend, server) => found(actual, backend, server).sessions = 0,
        Step::Remove(backend, server) => {
            let server_found = *found(actual, backend, server);
            if server_found.admin != Admin::Maintenance || server_found.sessions > 0 {
                return false;
            }
            actual.servers.get_mut(backend).unwrap().remove(server);
        }
        Step::Map(map, entries) => {
            let keys = entries.iter().map(|(key, value)| (key.clone(), value.clone()));
            match map {
                MapName::Challenges => actual.challenges = entries.clone(),
                MapName::Plain => actual.plain = keys.map(|(key, value)| (key_of(&key), value)).collect(),
                MapName::Encrypted => actual.encrypted = keys.map(|(key, value)| (key_of(&key), value)).collect(),
            }
        }
        Step::Bring(name, _) => drop(actual.certificates.insert(name.clone())),
        Step::Show(name, certificate) => {
            assert!(actual.certificates.contains(name), "{name} is not there");
            let hosts: BTreeSet<String> = certificate.hosts.iter().map(ToString::to_string).collect();
            let used = actual.shown.values().flatten().map(|(line, _)| *line);
            let line = used.max().unwrap_or_default() + 1;
            actual.shown.entry(name.clone()).or_default().insert(line, hosts);
        }
        Step::Hide(name, line) => {
            let lines = actual.shown.get_mut(name).unwrap();
            assert!(lines.remove(line).is_some());
            if lines.is_empty() {
                actual.shown.remove(name);
            }
        }
        Step::Forget(name) => {
            assert!(!actual.shown.contains_key(name), "{name} is in use");
            assert!(actual.certificates.remove(name));
        }
    }
    true
}

fn found<'a>(
    actual: &'a mut Actual,
    backend: &orchestrator_balancer::BackendId,
    server: &orchestrator_balancer::ServerName,
) -> &'a mut ActualServer {
    actual.servers.get_mut(backend).unwrap().get_mut(server).unwrap()
}

/// The key of a map, from its text.
fn key_of(text: &str) -> orchestrator_balancer::MapKey {
    let (host, path) = text.split_once('/').unwrap();
    orchestrator_balancer::MapKey::new(&host.parse().unwrap(), &format!("/{path}").parse().unwrap())
}
