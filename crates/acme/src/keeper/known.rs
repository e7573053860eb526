//! The steps of one name: each is on record before the next one needs it.

use std::sync::Arc;

use orchestrator_secrets::{Secret, new_private_key, signing_request};

use super::{Event, Hands};
use crate::authority::Refusal;
use crate::chain::read_chain;
use crate::machine::{Case, Step};
use crate::record::{self, Attempt, Kept, Vault, certificate_row, order_row};

/// What is known of a name.
pub(super) struct Known {
    pub(super) case: Case,
    pub(super) kept: Option<Arc<Kept>>,
    /// The key of the order that is under way.
    pub(super) key: Option<Secret>,
}

impl Known {
    /// Takes a step, and records what becomes of it. If the step is already refused, nobody is asked. Returns what
    /// happened, and the refusal.
    pub(super) async fn advance(
        &mut self,
        name: &str,
        step: Step,
        refused: Option<Refusal>,
        hands: &mut Hands<'_>,
    ) -> (Option<Event>, Option<Refusal>) {
        let before = self.case.failures;
        let taken = match refused {
            Some(refusal) => Err(refusal),
            None => self.take(name, step, hands).await,
        };
        let (event, refusal) = match taken {
            Ok(event) => (event, None),
            Err(refusal) => {
                self.case.refused(&refusal, (hands.now)());
                (None, Some(refusal))
            }
        };
        if self.case.failures <= before {
            return (event, refusal);
        }
        if self.case.order.is_none() {
            self.key = None;
        }
        if let Err(reason) = self.record(name, hands).await {
            tracing::warn!(
                name,
                reason,
                "a failed order cannot be recorded: a restart would try again at once"
            );
        }
        let reason = self.case.reason.clone().unwrap_or_default();
        (Some(Event::Failed(reason)), refusal)
    }

    async fn take(&mut self, name: &str, step: Step, hands: &mut Hands<'_>) -> Result<Option<Event>, Refusal> {
        let order = self.case.order.as_ref().map(|order| order.url.clone());
        let now = hands.now;
        match (step, order) {
            (Step::Place, _) => {
                let key = new_private_key().map_err(|fault| Refusal::ours(fault.to_string()))?;
                let url = hands.authority.place(name).await?;
                self.case.placed(url, now());
                self.key = Some(key);
                self.record(name, hands).await.map_err(Refusal::ours)?;
                Ok(Some(Event::Ordered))
            }
            (Step::Look, Some(order)) => {
                let standing = hands.authority.look(&order).await?;
                self.case.looked(standing, now());
                Ok(None)
            }
            (Step::Answer, Some(order)) => {
                // The proofs are on record before the authority looks for them, so that a restart goes on showing them.
                self.record(name, hands).await.map_err(Refusal::ours)?;
                hands.authority.answer(&order).await?;
                self.case.answered(now());
                Ok(None)
            }
            (Step::Finalize, Some(order)) => {
                // The key is on record before there may be a certificate for it.
                self.record(name, hands).await.map_err(Refusal::ours)?;
                let key = self.key.as_ref();
                let key = key.ok_or_else(|| Refusal::over("the key of the order is lost"))?;
                let request = signing_request(key, name).map_err(|fault| Refusal::over(fault.to_string()))?;
                hands.authority.finalize(&order, &request).await?;
                self.case.finalized(now());
                Ok(None)
            }
            (Step::Fetch, Some(order)) => {
                let chain = hands.authority.fetch(&order).await?;
                self.accept(name, chain, hands).await
            }
            _ => Ok(None),
        }
    }

    /// Keeps a chain that the authority sent, if it is better than nothing: a good one on record is not replaced by one
    /// that cannot be shown.
    async fn accept(&mut self, name: &str, chain: String, hands: &Hands<'_>) -> Result<Option<Event>, Refusal> {
        if self.kept.as_ref().is_some_and(|kept| kept.chain == chain) {
            if self.case.order.as_ref().is_some_and(|order| order.is_resumed) {
                // The order was interrupted after its certificate was kept, long ago.
                self.forget_order(name, hands.vault).await;
                return Ok(None);
            }
            let reason = "the authority answered a new order with the certificate that is to be renewed";
            return Err(Refusal::over(reason));
        }
        let key = self.key.as_ref().and_then(Secret::expose_text).unwrap_or_default();
        let life = read_chain(&chain, key, name)
            .and_then(|life| (hands.fits)(&chain, key).map(|()| life))
            .map_err(|fault| Refusal::wasted(format!("the certificate of the authority cannot be used: {fault}")))?;
        let kept = Kept::new(hands.directory, chain, key);
        let row = certificate_row(name);
        record::keep(hands.vault, &row, &kept).await.map_err(Refusal::ours)?;
        self.kept = Some(Arc::new(kept));
        self.case.issued(life, (hands.now)());
        if self.case.reason.is_none() {
            self.forget_order(name, hands.vault).await;
        }
        Ok(Some(Event::Issued(life)))
    }

    async fn record(&self, name: &str, hands: &Hands<'_>) -> Result<(), String> {
        let attempt = Attempt::new(hands.directory, &self.case, self.key.as_ref());
        record::keep(hands.vault, &order_row(name), &attempt).await
    }

    pub(super) async fn forget_order(&mut self, name: &str, vault: &dyn Vault) {
        self.case.order = None;
        self.key = None;
        if let Err(reason) = vault.forget(&order_row(name)).await {
            // The next start forgets it.
            tracing::warn!(
                name,
                reason,
                "an order that is complete cannot be removed from the record"
            );
        }
    }
}
