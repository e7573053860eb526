//! What a container uses, and the variables that it was made with.

use std::collections::BTreeMap;

use orchestrator_plugin_oci::protocol::{DiskAnswer, EnvironmentRequest, Fault, StatsAnswer, TargetRequest, Verb};

use super::{Helper, blocking};

impl Helper {
    /// Measures once what a running container uses.
    pub(crate) async fn stats(&self, request: &TargetRequest) -> Result<StatsAnswer, Fault> {
        let (entry, _) = self.running(request, Verb::Measure)?;
        let group = self.group(&entry.reference);
        blocking(Verb::Measure, &entry.record().name, move || group.stats()).await
    }

    /// Measures what a container wrote, whether it runs or not.
    pub(crate) async fn disk(&self, request: &TargetRequest) -> Result<DiskAnswer, Fault> {
        let entry = self.of(request);
        let entry = entry.ok_or_else(|| Fault::not_running(Verb::Measure, request.container.key().engine_name()))?;
        let layer = entry.directory.layer();
        blocking(Verb::Measure, &entry.record().name, move || {
            orchestrator_quota::measure(&layer).map(|usage| DiskAnswer {
                bytes: usage.bytes,
                limit: usage.limit,
            })
        })
        .await
    }

    /// The variables of the specification whose names begin like this.
    pub(crate) fn environment(&self, request: &EnvironmentRequest) -> Option<BTreeMap<String, String>> {
        let record = self.of(&request.of)?.record();
        let all = record.spec.environment.iter();
        let wanted = all.filter(|(name, _)| name.starts_with(&request.prefix));
        Some(wanted.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}
