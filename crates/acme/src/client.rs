//! An authority that speaks ACME (RFC 8555), through the library.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeStatus, ChallengeType, Error, Identifier, Key, NewOrder, OrderStatus,
};
use orchestrator_secrets::new_private_key;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::time::timeout;

use crate::authority::{Authority, Proof, Reach, Refusal, Standing, in_one_line};
use crate::http::Http;
use crate::record::{self, AccountRecord, Vault, account_row};
use crate::refusal::{is_gone, is_passing, is_too_many, is_without_account, refusal, words};

/// How long one question may take: several exchanges, each with a limit of its own.
const LIMIT: Duration = Duration::from_secs(60);

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
            http: Http::new(directory, trust),
            account: None,
        }
    }

    /// The account. Without it, nothing can be asked, and no order is at fault.
    async fn account(&mut self) -> Result<Account, Refusal> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let account = self.open_account().await.map_err(Refusal::of_all)?;
        self.account = Some(account.clone());
        Ok(account)
    }

    /// Makes the account, once: its key is on record before the authority knows it, and the same key leads to the same
    /// account.
    async fn open_account(&self) -> Result<Account, Refusal> {
        self.http
            .check()
            .map_err(|fault| Refusal::ours(format!("cannot ask {:?}: {fault}", self.directory)))?;
        let row = account_row(&self.directory);
        let known: Option<AccountRecord> = record::read(self.vault.as_ref(), &row).await.map_err(Refusal::ours)?;
        let mut record = match known.filter(|known| known.directory == self.directory) {
            Some(known) => known,
            None => {
                let key = new_private_key().map_err(|fault| Refusal::ours(fault.to_string()))?;
                let new = AccountRecord::new(&self.directory, key.expose_text().unwrap_or_default());
                self.keep(&row, &new).await.map_err(Refusal::ours)?;
                new
            }
        };
        let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(record.key().as_bytes());
        let pkcs8 = pkcs8.map_err(|fault| Refusal::ours(format!("the key of the account cannot be read: {fault}")))?;
        let key = Key::from_pkcs8_der(pkcs8.clone_key()).map_err(|fault| self.refusal(&fault))?;
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        let made = builder.create_from_key((key, PrivateKeyDer::Pkcs8(pkcs8)), self.directory.clone());
        let (account, _) = made.await.map_err(|fault| self.refusal(&fault))?;
        tracing::info!(
            directory = self.directory,
            account = in_one_line(account.id()),
            "the authority knows our account"
        );
        if record.email != self.email {
            record.email = self.email.clone();
            if let Err(reason) = self.update_email(&account, &row, &record).await {
                tracing::warn!(
                    reason,
                    "the authority does not have the address for mail: it is told again after a restart"
                );
            }
        }
        Ok(account)
    }

    async fn update_email(&self, account: &Account, row: &str, record: &AccountRecord) -> Result<(), String> {
        let contact = record.email.as_ref().map(|email| format!("mailto:{email}"));
        let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
        let updated = account.update_contacts(&contacts).await;
        updated.map_err(|fault| self.refusal(&fault).reason)?;
        self.keep(row, record).await
    }

    async fn keep(&self, row: &str, record: &AccountRecord) -> Result<(), String> {
        record::keep(self.vault.as_ref(), row, record).await
    }

    async fn order(&mut self, url: &str) -> Result<instant_acme::Order, Refusal> {
        let account = self.account().await?;
        self.told_of_order(account.order(url.to_owned()).await)
    }

    /// What the authority said. If it does not know the account, that is made again with the next call.
    fn told<T>(&mut self, said: Result<T, Error>) -> Result<T, Refusal> {
        said.map_err(|fault| {
            if is_without_account(&fault) {
                self.account = None;
            }
            self.refusal(&fault)
        })
    }

    /// The same, of an order for which a certificate may exist: it ends only if the authority does not know it.
    fn told_of_order<T>(&mut self, said: Result<T, Error>) -> Result<T, Refusal> {
        let is_gone = said.as_ref().is_err_and(is_gone);
        self.told(said).map_err(|refusal| match is_gone {
            true => Refusal::over(refusal.reason),
            false => Refusal {
                is_passing: true,
                ..refusal
            },
        })
    }

    /// What an error means, and how long the authority asks to be left alone.
    fn refusal(&self, fault: &Error) -> Refusal {
        Refusal {
            after: self.http.take_after(),
            ..refusal(fault)
        }
    }

    async fn ask_place(&mut self, name: &str) -> Result<String, Refusal> {
        let account = self.account().await?;
        let identifiers = [Identifier::Dns(name.to_owned())];
        let order = account.new_order(&NewOrder::new(&identifiers)).await;
        let is_too_many = order.as_ref().is_err_and(is_too_many);
        let order = self.told(order).map_err(|refusal| match is_too_many {
            true => Refusal {
                reach: Reach::Orders,
                ..refusal
            },
            false => refusal,
        });
        Ok(order?.url().to_owned())
    }

    async fn ask_standing(&mut self, order: &str) -> Result<Standing, Refusal> {
        let mut order = self.order(order).await?;
        let status = order.state().status;
        let mut fault = order.state().error.as_ref().map(words);
        match status {
            OrderStatus::Ready => return Ok(Standing::Ready),
            OrderStatus::Processing => return Ok(Standing::Processing),
            OrderStatus::Valid => return Ok(Standing::Valid),
            OrderStatus::Pending | OrderStatus::Invalid => {}
        }
        let count = order.state().authorizations.len();
        if count > 1 {
            let reason = format!("the authority wants {count} proofs for an order of one name");
            return Ok(Standing::Invalid(reason));
        }
        let (mut proofs, mut is_answered) = (BTreeSet::new(), true);
        if let Some(next) = order.authorizations().next().await {
            let mut one = self.told_of_order(next)?;
            let is_pending = one.status == AuthorizationStatus::Pending;
            let Some(challenge) = one.challenge(ChallengeType::Http01) else {
                let reason = "the authority offers no check by HTTP (http-01)".to_owned();
                return Ok(Standing::Invalid(reason));
            };
            if let Some(error) = &challenge.error {
                fault = Some(words(error));
            }
            if is_pending {
                is_answered = challenge.status != ChallengeStatus::Pending;
                let proof = Proof {
                    token: challenge.token.clone(),
                    answer: challenge.key_authorization().as_str().to_owned(),
                };
                if !proof.can_be_shown() {
                    let token = in_one_line(&proof.token);
                    let reason = format!("the authority wants a proof with the token {token:?}, which cannot be shown");
                    return Ok(Standing::Invalid(reason));
                }
                proofs.insert(proof);
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

    async fn send_answer(&mut self, order: &str) -> Result<(), Refusal> {
        let mut order = self.order(order).await?;
        let mut authorizations = order.authorizations();
        let Some(next) = authorizations.next().await else {
            return Ok(());
        };
        let mut one = self.told_of_order(next)?;
        if one.status != AuthorizationStatus::Pending {
            return Ok(());
        }
        let Some(mut challenge) = one.challenge(ChallengeType::Http01) else {
            return Ok(());
        };
        if challenge.status != ChallengeStatus::Pending {
            return Ok(());
        }
        match challenge.set_ready().await {
            // The library answers here what is wrong with the proof, too. The next look at the order says so, and whether it
            // goes on.
            Err(Error::Api(problem)) if !is_passing(&problem) => {
                let reason = words(&problem);
                tracing::warn!(reason, "the authority was asked to check a proof, and complains");
                Ok(())
            }
            said => self.told_of_order(said),
        }
    }

    async fn send_request(&mut self, order: &str, request: &[u8]) -> Result<(), Refusal> {
        let mut order = self.order(order).await?;
        let said = order.finalize_csr(request).await;
        self.told(said)
    }

    async fn ask_chain(&mut self, order: &str) -> Result<String, Refusal> {
        let mut order = self.order(order).await?;
        // The order is valid, so that a certificate exists, whatever is said of its place.
        let said = order.certificate().await;
        self.told(said)
            .map_err(|refusal| Refusal {
                is_passing: true,
                ..refusal
            })?
            .ok_or_else(|| Refusal::passing("the authority still makes the certificate"))
    }
}

#[async_trait]
impl Authority for Client {
    async fn place(&mut self, name: &str) -> Result<String, Refusal> {
        in_time(self.ask_place(name)).await
    }

    async fn look(&mut self, order: &str) -> Result<Standing, Refusal> {
        in_time(self.ask_standing(order)).await
    }

    async fn answer(&mut self, order: &str) -> Result<(), Refusal> {
        in_time(self.send_answer(order)).await
    }

    async fn finalize(&mut self, order: &str, request: &[u8]) -> Result<(), Refusal> {
        in_time(self.send_request(order, request)).await
    }

    async fn fetch(&mut self, order: &str) -> Result<String, Refusal> {
        in_time(self.ask_chain(order)).await
    }
}

/// One question, within its limit.
async fn in_time<T>(question: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    timeout(LIMIT, question).await.unwrap_or_else(|_elapsed| {
        let reason = format!(
            "the authority did not answer all of a question within {} s",
            LIMIT.as_secs()
        );
        Err(Refusal::passing(reason))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_of_many_slow_answers_ends() {
        let slow = async {
            for _ in 0..1000 {
                tokio::time::sleep(Duration::from_secs(19)).await;
            }
            Ok(())
        };
        let refusal = in_time(slow).await.unwrap_err();
        assert!(
            refusal.is_passing && refusal.reason.contains("within 60 s"),
            "{refusal}"
        );
    }
}
