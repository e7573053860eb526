//! The whole policy of a host, as it follows from the settings and the store now.

use orchestrator_host::PolicyItem;
use orchestrator_policy::{Links, Policy};
use orchestrator_settings::Settings;
use orchestrator_store::StoreError;

use super::PolicyRecords;

/// Every item of the policy; `None` if no link has isolation, so that no packet is checked.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn wanted_items(
    settings: &Settings,
    records: &dyn PolicyRecords,
) -> Result<Option<Vec<PolicyItem>>, StoreError> {
    let links = Links::of(settings, settings.metadata.address);
    if links.is_empty() {
        return Ok(None);
    }
    let mut policy = Policy::new(links);
    for facts in records.all_facts().await? {
        policy.set_owner(&facts);
    }
    Ok(Some(policy.whole()))
}
