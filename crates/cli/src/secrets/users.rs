//! What uses a secret, and what follows when it is removed. Pure.

use std::collections::BTreeSet;

use orchestrator_model::{RecordedToken, Route, RouteTls};
use orchestrator_secrets::Usage;
use orchestrator_service::ServiceSpec;
use orchestrator_settings::Settings;
use orchestrator_store::HeldVersion;

/// Whether a secret may be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing uses it.
    Unused,
    /// Something uses it.
    Used {
        /// What uses it.
        by: String,
        /// What follows when it is removed nevertheless.
        follows: &'static str,
    },
    /// It is removed by another verb, together with what it belongs to: the reason with that verb.
    Kept(String),
}

/// What may use secrets, as it is recorded.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// The routes of services, each with its service.
    routes: Vec<(String, Route)>,
    /// Services whose recorded versions cannot be read: they may have any route.
    unread: BTreeSet<String>,
    tokens: BTreeSet<String>,
    /// Whether the settings name an authority by ACME.
    has_acme: bool,
}

impl Users {
    pub(super) fn new(versions: &[HeldVersion], tokens: &[RecordedToken], settings: &Settings) -> Self {
        let mut users = Self {
            tokens: tokens.iter().map(|token| token.name.clone()).collect(),
            has_acme: settings.acme.is_some(),
            ..Self::default()
        };
        for version in versions.iter().map(|held| &held.version) {
            let keys = serde_json::from_str(&version.spec).ok();
            match keys.and_then(|keys| ServiceSpec::reread(&keys, settings).ok()) {
                Some(spec) => {
                    let routes = spec.routes.into_iter();
                    users
                        .routes
                        .extend(routes.map(|route| (version.service.clone(), route)));
                }
                None => drop(users.unread.insert(version.service.clone())),
            }
        }
        users
    }

    /// Whether the secret of this name may be removed.
    pub(super) fn judge(&self, name: &str) -> Verdict {
        let used = |by: &str, follows| Verdict::Used {
            by: by.to_owned(),
            follows,
        };
        match Usage::of(name) {
            Usage::Authority => {
                let why = "it is the key of a certificate authority, which `orchestrator secrets rotate-ca` replaces";
                Verdict::Kept(why.to_owned())
            }
            Usage::TokenKey { token } if self.tokens.contains(&token) => Verdict::Kept(format!(
                "it is a key of the token {token}, which `orchestrator token rm {token}` removes"
            )),
            Usage::Registry { host } => Verdict::Kept(format!(
                "it opens the registry {host}; `orchestrator registry logout {host}` forgets it"
            )),
            Usage::Route { host } => self.of_route(&host, &RouteTls::OwnCa),
            Usage::Acme { host } => self.of_route(&host, &RouteTls::Acme),
            Usage::Account if self.has_acme => used(
                "certificates are ordered from an account",
                "the daemon makes another account when it next starts, and orders that are under way begin anew",
            ),
            Usage::Api => used(
                "the API's listeners with TLS show it",
                "a daemon with such a listener issues another certificate within seconds",
            ),
            Usage::HostKeys => used(
                "the SSH host keys of instances follow from it",
                "instances that are made after the daemon's next start have other host keys",
            ),
            Usage::TokenHashes => used(
                "every token is checked with it",
                "the tokens of now are refused from the daemon's next start on",
            ),
            Usage::InstanceTokens => used(
                "the tokens of instances follow from it",
                "instances have other tokens from the daemon's next start on, and those of now are refused",
            ),
            Usage::TokenKey { .. } | Usage::Account | Usage::Nothing => Verdict::Unused,
        }
    }

    fn of_route(&self, host: &str, tls: &RouteTls) -> Verdict {
        let names_it = |(_, route): &&(String, Route)| route.host == host && route.tls.as_ref() == Some(tls);
        let service = self.routes.iter().find(names_it);
        let by = match (service, self.unread.first()) {
            (Some((service, _)), _) => format!("service {service} has a route for {host}"),
            (None, Some(unread)) => format!("service {unread} cannot be read, and may have a route for {host}"),
            (None, None) => return Verdict::Unused,
        };
        let follows = match tls {
            RouteTls::Acme => {
                "the daemon orders another certificate after its next start; until then it goes on as it is"
            }
            _ => "the daemon issues another certificate within an hour, or when it next starts",
        };
        Verdict::Used { by, follows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: &str, tls: Option<RouteTls>) -> (String, Route) {
        let route = Route {
            host: host.to_owned(),
            path: "/".to_owned(),
            port: "http".to_owned(),
            tls,
        };
        ("web".to_owned(), route)
    }

    fn users() -> Users {
        Users {
            routes: vec![
                route("own.example", Some(RouteTls::OwnCa)),
                route("*.any.example", Some(RouteTls::OwnCa)),
                route("acme.example", Some(RouteTls::Acme)),
                route("plain.example", None),
            ],
            tokens: ["ci".to_owned()].into(),
            has_acme: true,
            ..Users::default()
        }
    }

    #[track_caller]
    fn is_used(users: &Users, name: &str, expected: &str) {
        match users.judge(name) {
            Verdict::Used { by, .. } => assert!(by.contains(expected), "{name}: {by}"),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_certificate_is_used_while_a_service_names_its_route_and_gets_it_from_there() {
        let users = users();
        for name in ["certificate/route/own.example", "certificate/route/any/any.example"] {
            is_used(&users, name, "service web");
        }
        for name in ["certificate/acme/acme.example", "acme/order/acme.example"] {
            is_used(&users, name, "service web");
        }
        for name in [
            "certificate/route/gone.example",
            "certificate/route/acme.example",
            "certificate/acme/own.example",
            "certificate/acme/plain.example",
            "acme/order/own.example",
        ] {
            assert_eq!(users.judge(name), Verdict::Unused, "{name}");
        }
    }

    #[test]
    fn a_service_that_cannot_be_read_may_use_every_certificate() {
        let users = Users {
            unread: ["mail".to_owned()].into(),
            ..users()
        };
        is_used(&users, "certificate/route/gone.example", "service mail cannot be read");
        is_used(&users, "certificate/route/own.example", "service web");
        assert_eq!(users.judge("vpn/key"), Verdict::Unused);
    }

    #[test]
    fn the_daemon_uses_its_own_keys_whatever_is_deployed() {
        let nobody = Users::default();
        for name in ["certificate/api", "ssh/host-keys", "token/key", "token/instances"] {
            is_used(&nobody, name, "");
        }
        is_used(&users(), "acme/account/ca.example/directory", "account");
        assert_eq!(nobody.judge("acme/account/ca.example/directory"), Verdict::Unused);
    }

    #[test]
    fn what_another_verb_removes_is_kept_and_that_verb_is_named() {
        for (name, verb) in [
            ("ca/010101010101", "secrets rotate-ca"),
            ("token/signs/ci", "token rm ci"),
            ("token/signed/ci", "token rm ci"),
            (
                "registry/registry.example/5000",
                "registry logout registry.example:5000",
            ),
        ] {
            match users().judge(name) {
                Verdict::Kept(why) => assert!(why.contains(verb), "{name}: {why}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        // What a removed token has left.
        assert_eq!(users().judge("token/signs/gone"), Verdict::Unused);
    }
}
