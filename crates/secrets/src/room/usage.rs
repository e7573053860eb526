//! What a secret is for, by its name.

use crate::ssh::HOST_KEYS;
use crate::tokens::{HASH_KEY, INSTANCES_KEY, SIGNING_KEYS};

// What the names of secrets of other parts begin with. A test in each of these parts compares.
const AUTHORITIES: &str = "ca/";
const API_CERTIFICATE: &str = "certificate/api";
const ROUTE_CERTIFICATES: &str = "certificate/route/";
const ACME_CERTIFICATES: &str = "certificate/acme/";
const ORDERS: &str = "acme/order/";
const ACCOUNTS: &str = "acme/account/";
const REGISTRIES: &str = "registry/";

/// What a secret is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// The private key of a certificate authority of our own.
    Authority,
    /// The certificate of the API's listeners with TLS, by our own authority.
    Api,
    /// The certificate of a route by our own authority.
    Route {
        /// The host name of the route.
        host: String,
    },
    /// A certificate of a route by ACME, or the order for one.
    Acme {
        /// The host name of the route.
        host: String,
    },
    /// The account at an authority by ACME.
    Account,
    /// The secret from which the SSH host keys of instances follow.
    HostKeys,
    /// The key with which the hashes of tokens are made.
    TokenHashes,
    /// The secret from which the tokens of instances follow.
    InstanceTokens,
    /// A key by which the holder of a token signs requests.
    TokenKey {
        /// The name of the token.
        token: String,
    },
    /// The credentials for a registry of images.
    Registry {
        /// The registry, with its port if it has one.
        host: String,
    },
    /// No part of this daemon has such a secret.
    Nothing,
}

impl Usage {
    /// What the secret of this name is for.
    pub fn of(name: &str) -> Self {
        let below = |start: &str| name.strip_prefix(start).filter(|rest| !rest.is_empty());
        match name {
            API_CERTIFICATE => return Self::Api,
            HOST_KEYS => return Self::HostKeys,
            HASH_KEY => return Self::TokenHashes,
            INSTANCES_KEY => return Self::InstanceTokens,
            _ => {}
        }
        if below(AUTHORITIES).is_some() {
            return Self::Authority;
        }
        if below(ACCOUNTS).is_some() {
            return Self::Account;
        }
        if let Some(place) = below(ROUTE_CERTIFICATES) {
            // Names of secrets have no asterisk.
            let host = match place.strip_prefix("any/") {
                Some(rest) => format!("*.{rest}"),
                None => place.to_owned(),
            };
            return Self::Route { host };
        }
        if let Some(host) = below(ACME_CERTIFICATES).or_else(|| below(ORDERS)) {
            return Self::Acme { host: host.to_owned() };
        }
        if let Some(host) = below(REGISTRIES) {
            let host = host.replacen('/', ":", 1);
            return Self::Registry { host };
        }
        match SIGNING_KEYS.iter().find_map(|start| below(start)) {
            Some(token) => Self::TokenKey {
                token: token.to_owned(),
            },
            None => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_secret_says_what_it_is_for() {
        let host = |host: &str| host.to_owned();
        for (name, usage) in [
            ("ca/010101010101", Usage::Authority),
            ("certificate/api", Usage::Api),
            (
                "certificate/route/a.example",
                Usage::Route {
                    host: host("a.example"),
                },
            ),
            (
                "certificate/route/any/example",
                Usage::Route {
                    host: host("*.example"),
                },
            ),
            (
                "certificate/acme/a.example",
                Usage::Acme {
                    host: host("a.example"),
                },
            ),
            (
                "acme/order/a.example",
                Usage::Acme {
                    host: host("a.example"),
                },
            ),
            ("acme/account/ca.example/directory", Usage::Account),
            ("ssh/host-keys", Usage::HostKeys),
            ("token/key", Usage::TokenHashes),
            ("token/instances", Usage::InstanceTokens),
            ("token/signs/ci", Usage::TokenKey { token: host("ci") }),
            ("token/signed/ci", Usage::TokenKey { token: host("ci") }),
            ("token/next/ci", Usage::TokenKey { token: host("ci") }),
            (
                "registry/registry.example/5000",
                Usage::Registry {
                    host: host("registry.example:5000"),
                },
            ),
            ("certificate/route/", Usage::Nothing),
            ("vpn/key", Usage::Nothing),
        ] {
            assert_eq!(Usage::of(name), usage, "{name}");
        }
    }
}
