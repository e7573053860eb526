//! What is on record: certificates, orders and the account. Each is one sealed row.

use std::collections::BTreeSet;

use async_trait::async_trait;
use orchestrator_model::Timestamp;
use orchestrator_secrets::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use zeroize::Zeroizing;

use crate::authority::Proof;
use crate::machine::{Case, Order};

/// The record. Each call is durable when it returns; after a failure it may have taken effect or not.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The row of this name.
    async fn read(&self, name: &str) -> Result<Option<Secret>, String>;

    /// Writes a row, in place of the one before.
    async fn keep(&self, name: &str, secret: &Secret) -> Result<(), String>;

    /// Removes a row. There may be none.
    async fn forget(&self, name: &str) -> Result<(), String>;
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The directory of the authority that issued it.
    pub(crate) directory: String,
    /// The chain in PEM, its own certificate first.
    pub chain: String,
    key: Hidden,
}

/// A private key in PEM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hidden(Zeroizing<String>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }
}

impl Kept {
    pub(crate) fn new(directory: &str, chain: String, key: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            chain,
            key: Hidden(Zeroizing::new(key.to_owned())),
        }
    }

    /// The private key, in PEM.
    pub fn key(&self) -> &str {
        &self.key.0
    }
}

/// An attempt to get a certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) directory: String,
    pub(crate) failures: u32,
    /// Milliseconds since 1970.
    again: Option<i64>,
    pub(crate) reason: Option<String>,
    /// The URL of the order.
    order: Option<String>,
    /// When it was placed, in milliseconds since 1970.
    #[serde(default)]
    placed: Option<i64>,
    /// How often a question about it failed.
    #[serde(default)]
    order_failures: u32,
    /// What the balancers show for it.
    #[serde(default)]
    proofs: BTreeSet<Proof>,
    key: Option<Hidden>,
}

impl Attempt {
    pub(crate) fn new(directory: &str, case: &Case, key: Option<&Secret>) -> Self {
        let key = key.and_then(Secret::expose_text);
        let order = case.order.as_ref();
        Self {
            directory: directory.to_owned(),
            failures: case.failures,
            again: case.again.map(|again| again.0),
            reason: case.reason.clone(),
            order: order.map(|order| order.url.clone()),
            placed: order.map(|order| order.placed.0),
            order_failures: order.map_or(0, |order| order.failures),
            proofs: order.map(|order| order.proofs.clone()).unwrap_or_default(),
            key: key.map(|key| Hidden(Zeroizing::new(key.to_owned()))),
        }
    }

    pub(crate) fn again(&self) -> Option<Timestamp> {
        self.again.map(Timestamp)
    }

    /// The order that was under way. A record without the moment at which it was placed counts from now on.
    pub(crate) fn order(&self, now: Timestamp) -> Option<Order> {
        let mut order = Order::resumed(self.order.clone()?, now);
        order.placed = self.placed.map_or(now, Timestamp);
        order.failures = self.order_failures;
        order.proofs = self.proofs.clone();
        Some(order)
    }

    pub(crate) fn key(&self) -> Option<Secret> {
        self.key.as_ref().map(|key| Secret::new(key.0.as_bytes().to_vec()))
    }
}

/// The account of this daemon at an authority.
#[derive(Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    pub(crate) directory: String,
    /// The address for mail that the authority has of us.
    pub(crate) email: Option<String>,
    key: Hidden,
}

impl AccountRecord {
    pub(crate) fn new(directory: &str, key: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            email: None,
            key: Hidden(Zeroizing::new(key.to_owned())),
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key.0
    }
}

/// The row of the certificate of a name.
pub fn certificate_row(name: &str) -> String {
    format!("certificate/acme/{name}")
}

/// The row of the order for a name.
pub fn order_row(name: &str) -> String {
    format!("acme/order/{name}")
}

/// The row of the account at the authority with this directory.
pub(crate) fn account_row(directory: &str) -> String {
    let place = directory.strip_prefix("https://").unwrap_or(directory);
    let plain = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '-' | '.' | '/') => c,
        _ => '-',
    };
    let place: String = place.chars().take(200).map(plain).collect();
    format!("acme/account/{place}")
}

/// Writes what is kept.
pub(crate) async fn keep<T: Serialize + Sync>(vault: &dyn Vault, row: &str, value: &T) -> Result<(), String> {
    let text = serde_json::to_vec(value).map_err(|fault| format!("cannot write {row}: {fault}"))?;
    vault.keep(row, &Secret::new(text)).await
}

/// Reads what is kept. A row of another form counts as none: it is replaced.
pub(crate) async fn read<T: DeserializeOwned>(vault: &dyn Vault, row: &str) -> Result<Option<T>, String> {
    let Some(secret) = vault.read(row).await? else {
        return Ok(None);
    };
    let read = serde_json::from_slice(secret.expose());
    if let Err(fault) = &read {
        let fault = without_values(fault);
        tracing::warn!(row, fault, "a row cannot be read, and is made anew");
    }
    Ok(read.ok())
}

/// Where a row cannot be read. The message of the fault itself may quote the row, which is a secret.
fn without_values(fault: &serde_json::Error) -> String {
    let kind = match fault.classify() {
        Category::Io => "it cannot be read",
        Category::Syntax | Category::Eof => "it is no JSON",
        Category::Data => "it has another form",
    };
    format!("{kind}: line {}, column {}", fault.line(), fault.column())
}

#[cfg(test)]
mod tests {
    use orchestrator_secrets::Usage;

    use super::*;

    #[test]
    fn each_row_has_a_name_that_says_what_it_is_for() {
        let host = "a.example".to_owned();
        let acme = Usage::Acme { host: host.clone() };
        assert_eq!(Usage::of(&certificate_row(&host)), acme);
        assert_eq!(Usage::of(&order_row(&host)), acme);
        assert_eq!(Usage::of(&account_row("https://ca.example/directory")), Usage::Account);
    }

    #[test]
    fn an_account_has_a_row_for_each_directory_that_can_be_a_name() {
        let row = account_row("https://[fd39::1]:14000/Dir?a=b");
        assert_eq!(row, "acme/account/-fd39--1--14000/dir-a-b");
        assert!(account_row(&format!("https://{}", "a".repeat(1000))).len() < 300);
    }

    #[test]
    fn a_fault_of_a_row_quotes_nothing_of_it() {
        let row = r#"{"directory":"d","chain":"c","key":["hunter2"]}"#;
        let fault = serde_json::from_str::<Kept>(row).map(drop).unwrap_err();
        assert!(without_values(&fault).starts_with("it has another form: line 1, column "));
        let fault = serde_json::from_str::<Attempt>("\"hunter2\"").map(drop).unwrap_err();
        assert!(fault.to_string().contains("hunter2"), "serde quotes it: {fault}");
        assert!(!without_values(&fault).contains("hunter2"));
    }

    #[test]
    fn an_attempt_of_an_older_version_is_read() {
        let row = r#"{"directory":"d","failures":1,"again":null,"reason":null,"order":"u","key":null}"#;
        let attempt: Attempt = serde_json::from_str(row).unwrap();
        assert_eq!(
            attempt.order(Timestamp(1)),
            Some(Order::resumed("u".to_owned(), Timestamp(1)))
        );
    }

    #[test]
    fn no_key_is_shown() {
        let kept = Kept::new("d", "c".to_owned(), "hunter2");
        assert!(!format!("{kept:?}").contains("hunter2"));
        assert_eq!(kept.key(), "hunter2");
    }
}
