//! The certificates of routes: from files, which are read again when they change, of our own authority, and by ACME.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_balancer::{HostName, Material, Pem};
use orchestrator_model::{Endpoints, RouteTls};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;
use orchestrator_runtime::files::{self, Symlinks};
use orchestrator_secrets::{CertificateRequest, Purpose, Room};
use orchestrator_store::Store;
use tokio::time::Instant;

use super::board::Shown;
use crate::serve::Context;
use crate::serve::access::open_room;

/// The condition under which missing certificates are shown.
const CONDITION: &str = "route-certificates";
/// Between two checks of a certificate: of its files, or of what is left of its life.
const PERIOD: Duration = Duration::from_secs(5);
/// The same for one of our own authority, which lives for months.
const PERIOD_OF_OWN: Duration = Duration::from_secs(3600);
/// How long a certificate of our own authority lives. It is renewed after two thirds.
const VALIDITY: Duration = Duration::from_secs(90 * 86_400);
/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Where the certificate of a name comes from, and what is known of it.
struct Held {
    tls: RouteTls,
    /// The last good one. It is shown until there is another one.
    pem: Option<Pem>,
    /// What is wrong with the present one.
    fault: Option<String>,
    /// When it is checked again.
    due: Instant,
}

/// The certificates of all routes.
pub(super) struct Certificates {
    context: Context,
    store: Store,
    room: Option<Room>,
    held: BTreeMap<HostName, Held>,
    /// Held while a certificate is missing or wrong.
    condition: Option<Owned>,
}

impl Certificates {
    pub(super) fn new(context: &Context, store: &Store) -> Self {
        Self {
            context: context.clone(),
            store: store.clone(),
            room: None,
            held: BTreeMap::new(),
            condition: None,
        }
    }

    /// The certificates of the routes of these services, as they are now. A route whose certificate cannot be had keeps the
    /// one from before; the others are not affected.
    pub(super) async fn material(&mut self, endpoints: &Endpoints, mut shown: Shown) -> Material {
        let wanted = wanted(endpoints);
        self.held.retain(|host, _| wanted.contains_key(host));
        for (host, tls) in wanted {
            if tls == RouteTls::Acme {
                let (pem, fault) = (shown.certificates.remove(&host), shown.faults.remove(&host));
                self.take(host, pem, fault);
                continue;
            }
            let is_due = |held: &Held| held.tls != tls || held.due <= Instant::now();
            if self.held.get(&host).is_none_or(is_due) {
                self.check(host, tls).await;
            }
        }
        self.show();
        let certificates = self.held.iter();
        let certificates = certificates.filter_map(|(host, held)| Some((host.clone(), held.pem.clone()?)));
        Material {
            certificates: certificates.collect(),
            challenges: shown.challenges,
        }
    }

    /// Forgets what is wrong while nobody shows certificates.
    pub(super) fn rest(&mut self) {
        self.held.clear();
        self.condition = None;
    }

    /// The names whose certificates are ordered by ACME.
    pub(super) fn by_acme(&self) -> BTreeSet<HostName> {
        let held = self.held.iter().filter(|(_, held)| held.tls == RouteTls::Acme);
        held.map(|(host, _)| host.clone()).collect()
    }

    /// Takes what the orders by ACME have come to. They report what fails themselves.
    fn take(&mut self, host: HostName, pem: Option<Pem>, fault: Option<String>) {
        let before = self.held.remove(&host).and_then(|held| held.pem);
        if let Some(pem) = pem.as_ref().filter(|pem| before.as_ref() != Some(pem)) {
            tracing::info!(%host, certificate = %pem.name(), "route has a certificate");
        }
        let is_missing = pem.is_none() && fault.is_none();
        let held = Held {
            tls: RouteTls::Acme,
            pem: pem.or(before),
            fault: fault.or_else(|| is_missing.then(|| "its certificate is being ordered".to_owned())),
            due: Instant::now(),
        };
        self.held.insert(host, held);
    }

    async fn check(&mut self, host: HostName, tls: RouteTls) {
        let read = match &tls {
            RouteTls::Files { certificate, key } => read_files(certificate, key).await.map(|pem| (pem, PERIOD)),
            RouteTls::OwnCa => self.issue(&host).await.map(|pem| (pem, PERIOD_OF_OWN)),
            RouteTls::Acme => return,
        };
        let before = self.held.remove(&host);
        let (old, known) = before.map_or((None, None), |held| (held.pem, held.fault));
        let held = match read {
            Ok((pem, period)) => {
                if old.as_ref() != Some(&pem) {
                    tracing::info!(%host, certificate = %pem.name(), "route has a certificate");
                }
                Held {
                    tls,
                    pem: Some(pem),
                    fault: None,
                    due: Instant::now() + period,
                }
            }
            Err(fault) => {
                if known.as_ref() != Some(&fault) {
                    tracing::warn!(%host, fault, "certificate of a route cannot be had");
                    self.context.metrics.balancer_failed("certificate");
                }
                Held {
                    tls,
                    pem: old,
                    fault: Some(fault),
                    due: Instant::now() + PERIOD,
                }
            }
        };
        self.held.insert(host, held);
    }

    /// A certificate of our own authority, which is kept sealed: a restart shows the same one.
    async fn issue(&mut self, host: &HostName) -> Result<Pem, String> {
        let fault = |fault| format!("cannot issue its certificate: {}", with_causes(&fault));
        let room = match &self.room {
            Some(room) => room.clone(),
            None => open_room(&self.context, &self.store).await.map_err(fault)?,
        };
        let now = self.context.clock.now();
        let (name, request) = (own_name(host), request(host));
        let kept = room.keep_certificate(&name, &request, now).await.map_err(fault)?;
        self.room = Some(room);
        let key = kept.key.expose_text().ok_or("its key is no text")?;
        Pem::new(&kept.certificate, key).map_err(|fault| fault.to_string())
    }

    fn show(&mut self) {
        let faults = self.held.iter().filter_map(|(host, held)| {
            let (fault, is_shown) = (held.fault.as_ref()?, held.pem.is_some());
            Some(match is_shown {
                true => format!("{host}: {fault}; the certificate from before is still shown"),
                false => format!("{host}: {fault}; until then it is not served by TLS"),
            })
        });
        let faults: Vec<String> = faults.collect();
        if faults.is_empty() {
            self.condition = None;
            return;
        }
        let conditions = &self.context.conditions;
        self.condition.get_or_insert_with(|| conditions.own(CONDITION));
        conditions.set_wrong(CONDITION, faults.join("; "));
    }
}

/// The name under which a certificate of our own authority is kept. Names of secrets have no asterisk.
pub(super) fn own_name(host: &HostName) -> String {
    match host.as_str().strip_prefix("*.") {
        Some(rest) => format!("route/any/{rest}"),
        None => format!("route/{host}"),
    }
}

/// The names that need a certificate. Of two services with one name, the first in the alphabet says where it is from.
pub(super) fn wanted(endpoints: &Endpoints) -> BTreeMap<HostName, RouteTls> {
    let mut wanted = BTreeMap::new();
    for route in endpoints.services.values().flat_map(|service| &service.routes) {
        if let (Some(tls), Ok(host)) = (&route.tls, route.host.parse::<HostName>()) {
            wanted.entry(host).or_insert_with(|| tls.clone());
        }
    }
    wanted
}

fn request(host: &HostName) -> CertificateRequest {
    let name = host.to_string();
    CertificateRequest {
        // The longest that a common name may be. Verifiers use the name.
        subject: name.chars().take(64).collect(),
        names: vec![name],
        addresses: Vec::new(),
        purposes: vec![Purpose::Server],
        validity: VALIDITY,
    }
}

async fn read_files(certificate: &str, key: &str) -> Result<Pem, String> {
    let (chain, key_text) = (read(certificate).await?, read(key).await?);
    let pem = Pem::new(&chain, &key_text);
    pem.map_err(|fault| format!("{certificate} and {key}: {fault}"))
}

async fn read(path: &str) -> Result<String, String> {
    let at = PathBuf::from(path);
    let read = tokio::task::spawn_blocking(move || files::read_text(&at, Symlinks::Follow, LARGEST)).await;
    let read = read.map_err(io::Error::other).and_then(|read| read);
    read.map_err(|error| format!("cannot read {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use orchestrator_model::{Route, ServiceEndpoints};

    use super::*;

    fn service(routes: &[(&str, Option<RouteTls>)]) -> ServiceEndpoints {
        let route = |(host, tls): &(&str, Option<RouteTls>)| Route {
            host: (*host).to_owned(),
            path: "/".to_owned(),
            port: "http".to_owned(),
            tls: tls.clone(),
        };
        ServiceEndpoints {
            routes: routes.iter().map(route).collect(),
            ..ServiceEndpoints::default()
        }
    }

    #[test]
    fn the_first_service_of_a_name_says_where_its_certificate_is_from() {
        let a = service(&[("web.example", Some(RouteTls::OwnCa)), ("plain.example", None)]);
        let b = service(&[("web.example", Some(RouteTls::Acme))]);
        let services = [("a".to_owned(), a.into()), ("b".to_owned(), b.into())].into();
        let wanted = wanted(&Endpoints { index: 1, services });
        assert_eq!(wanted, [("web.example".parse().unwrap(), RouteTls::OwnCa)].into());
    }

    #[tokio::test]
    async fn what_is_no_file_or_no_certificate_is_refused_with_its_path() {
        let place = std::env::temp_dir().join(format!("orchestrator-certificates-{}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        let path = |name: &str| place.join(name).display().to_string();
        nix::unistd::mkfifo(place.join("fifo").as_path(), nix::sys::stat::Mode::S_IRUSR).unwrap();
        std::fs::write(path("empty"), "").unwrap();
        std::fs::write(path("long"), "x".repeat(70_000)).unwrap();
        let directory = place.display().to_string();
        for (certificate, expected) in [
            (path("none"), "cannot read"),
            (path("long"), "more than 65536 bytes"),
            (directory, "no regular file"),
            (path("empty"), "no certificate"),
            // Opening one would wait for a writer.
            (path("fifo"), "no regular file"),
        ] {
            let fault = read_files(&certificate, &path("empty")).await.unwrap_err();
            assert!(fault.contains(&certificate) && fault.contains(expected), "{fault}");
        }
        std::fs::remove_dir_all(&place).unwrap();
    }
}
