//! An authority that speaks ACME (RFC 8555), through the library.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeStatus, ChallengeType, Error, Identifier, Key, NewOrder, OrderStatus,
    Problem,
};
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::new_private_key;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::authority::{Authority, Proof, Refusal, Standing, in_one_line};
use crate::http::{Http, Unanswered};
use crate::record::{self, AccountRecord, Vault, account_row};

/// The kinds of errors begin with this (RFC 8555, section 6.7).
const ERROR: &str = "urn:ietf:params:acme:error:";
/// What may pass by itself.
const PASSING: [&str; 3] = ["rateLimited", "serverInternal", "badNonce"];
/// The authority does not know the account any more.
const NO_ACCOUNT: &str = "accountDoesNotExist";

/// An authority that speaks ACME. The terms of the authority are agreed to.
pub struct Client {
    directory: String,
    email: Option<String>,
    vault: Arc<dyn Vault>,
    http: Http,
    account: Option<Account>,
}

impl Client {
    /// The authority with this directory. `trust` is the file of certificates by which it is trusted; `None` for those
    /// that the machine trusts. `vault` has the key of the account.
    pub fn new(directory: &str, email: Option<String>, trust: Option<PathBuf>, vault: Arc<dyn Vault>) -> Self {
        Self {
            directory: directory.to_owned(),
            email,
            vault,
            http: Http::new(trust),
            account: None,
        }
    }

    /// The account, which is made once: its key is on record before the authority knows it, and whoever has the key has
    /// the account.
    async fn account(&mut self) -> Result<Account, Refusal> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let row = account_row(&self.directory);
        let known: Option<AccountRecord> = record::read(self.vault.as_ref(), &row).await.map_err(ours)?;
        let mut record = match known.filter(|known| known.directory == self.directory) {
            Some(known) => known,
            None => {
                let key = new_private_key().map_err(|fault| ours(fault.to_string()))?;
                let new = AccountRecord::new(&self.directory, key.expose_text().unwrap_or_default());
                record::keep(self.vault.as_ref(), &row, &new).await.map_err(ours)?;
                new
            }
        };
        let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(record.key().as_bytes());
        let pkcs8 = pkcs8.map_err(|fault| ours(format!("the key of the account cannot be read: {fault}")))?;
        let key = Key::from_pkcs8_der(pkcs8.clone_key()).map_err(|fault| self.refusal(&fault))?;
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        let made = builder.create_from_key((key, PrivateKeyDer::Pkcs8(pkcs8)), self.directory.clone());
        let (account, _) = made.await.map_err(|fault| self.refusal(&fault))?;
        if record.email != self.email {
            let contact = self.email.as_ref().map(|email| format!("mailto:{email}"));
            let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
            let updated = account.update_contacts(&contacts).await;
            updated.map_err(|fault| self.refusal(&fault))?;
            record.email = self.email.clone();
            record::keep(self.vault.as_ref(), &row, &record).await.map_err(ours)?;
        }
        tracing::info!(
            directory = self.directory,
            account = account.id(),
            "the authority knows our account"
        );
        self.account = Some(account.clone());
        Ok(account)
    }

    async fn order(&mut self, url: &str) -> Result<instant_acme::Order, Refusal> {
        let account = self.account().await?;
        self.told(account.order(url.to_owned()).await)
    }

    /// What the authority said. If it does not know the account, that is made again with the next call.
    fn told<T>(&mut self, said: Result<T, Error>) -> Result<T, Refusal> {
        said.map_err(|fault| {
            if let Error::Api(problem) = &fault
                && kind(problem) == Some(NO_ACCOUNT)
            {
                self.account = None;
            }
            self.refusal(&fault)
        })
    }

    fn refusal(&self, fault: &Error) -> Refusal {
        let after = self.http.take_after();
        match fault {
            Error::Api(problem) => Refusal {
                reason: format!("the authority says: {}", words(problem)),
                is_passing: is_passing(problem),
                is_unreachable: false,
                after,
            },
            other => Refusal {
                reason: in_one_line(&format!("no answer of the authority: {}", with_causes(other))),
                is_passing: true,
                is_unreachable: is_unanswered(other),
                after,
            },
        }
    }
}

#[async_trait]
impl Authority for Client {
    async fn place(&mut self, name: &str) -> Result<String, Refusal> {
        let account = self.account().await?;
        let identifiers = [Identifier::Dns(name.to_owned())];
        let order = account.new_order(&NewOrder::new(&identifiers)).await;
        Ok(self.told(order)?.url().to_owned())
    }

    async fn look(&mut self, order: &str) -> Result<Standing, Refusal> {
        let mut order = self.order(order).await?;
        let status = order.state().status;
        let said = order.state().error.as_ref().map(words);
        match status {
            OrderStatus::Ready => return Ok(Standing::Ready),
            OrderStatus::Processing => return Ok(Standing::Processing),
            OrderStatus::Valid => return Ok(Standing::Valid),
            OrderStatus::Pending | OrderStatus::Invalid => {}
        }
        let (mut proofs, mut is_answered, mut fault) = (BTreeSet::new(), true, said);
        let mut authorizations = order.authorizations();
        while let Some(next) = authorizations.next().await {
            let mut one = self.told(next)?;
            let is_pending = one.status == AuthorizationStatus::Pending;
            let Some(challenge) = one.challenge(ChallengeType::Http01) else {
                let reason = "the authority offers no check by HTTP (http-01)".to_owned();
                return Ok(Standing::Invalid(reason));
            };
            if let Some(error) = &challenge.error {
                fault = Some(words(error));
            }
            if is_pending {
                is_answered &= challenge.status != ChallengeStatus::Pending;
                proofs.insert(Proof {
                    token: challenge.token.clone(),
                    answer: challenge.key_authorization().as_str().to_owned(),
                });
            }
        }
        Ok(match status {
            OrderStatus::Invalid => {
                let reason = fault.unwrap_or_else(|| "no reason".to_owned());
                Standing::Invalid(format!("the authority refused the order: {reason}"))
            }
            _ => Standing::Pending { proofs, is_answered },
        })
    }

    async fn answer(&mut self, order: &str) -> Result<(), Refusal> {
        let mut order = self.order(order).await?;
        let mut authorizations = order.authorizations();
        while let Some(next) = authorizations.next().await {
            let mut one = self.told(next)?;
            if one.status != AuthorizationStatus::Pending {
                continue;
            }
            if let Some(mut challenge) = one.challenge(ChallengeType::Http01)
                && challenge.status == ChallengeStatus::Pending
            {
                let said = challenge.set_ready().await;
                self.told(said)?;
            }
        }
        Ok(())
    }

    async fn finalize(&mut self, order: &str, request: &[u8]) -> Result<(), Refusal> {
        let mut order = self.order(order).await?;
        let said = order.finalize_csr(request).await;
        self.told(said)
    }

    async fn fetch(&mut self, order: &str) -> Result<String, Refusal> {
        let mut order = self.order(order).await?;
        let said = order.certificate().await;
        self.told(said)?
            .ok_or_else(|| ours("the authority still makes the certificate".to_owned()))
    }
}

/// The kind of an error, without what all have in front.
fn kind(problem: &Problem) -> Option<&str> {
    problem.r#type.as_deref()?.strip_prefix(ERROR)
}

/// Whether the same may succeed later.
fn is_passing(problem: &Problem) -> bool {
    let is_of_server = problem.status.is_some_and(|status| status == 429 || status >= 500);
    is_of_server || kind(problem).is_some_and(|kind| PASSING.contains(&kind) || kind == NO_ACCOUNT)
}

fn words(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_default();
    for part in &problem.subproblems {
        text += &format!("; {part}");
    }
    if let Some(kind) = &problem.r#type {
        text += &format!(" ({})", kind.strip_prefix(ERROR).unwrap_or(kind));
    }
    in_one_line(&text)
}

/// Whether nobody answered at all.
fn is_unanswered(fault: &Error) -> bool {
    match fault {
        Error::Other(cause) => cause.downcast_ref::<Unanswered>().is_some(),
        _ => false,
    }
}

/// Our own side failed: the order may go on later.
fn ours(reason: String) -> Refusal {
    Refusal {
        reason,
        is_passing: true,
        is_unreachable: false,
        after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, status: u16) -> Problem {
        Problem {
            r#type: Some(format!("{ERROR}{kind}")),
            detail: Some("too many\r\nof them".to_owned()),
            status: Some(status),
            subproblems: Vec::new(),
        }
    }

    #[test]
    fn limits_and_faults_of_the_server_pass_and_refusals_do_not() {
        assert!(is_passing(&problem("rateLimited", 429)));
        assert!(is_passing(&problem("serverInternal", 500)));
        assert!(is_passing(&problem(NO_ACCOUNT, 400)));
        assert!(!is_passing(&problem("rejectedIdentifier", 400)));
        assert!(!is_passing(&problem("malformed", 404)));
    }

    #[test]
    fn what_an_authority_says_is_one_line_with_its_kind() {
        assert_eq!(words(&problem("rateLimited", 429)), "too many of them (rateLimited)");
    }
}
