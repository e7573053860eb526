//! What a container uses, and the variables that it was made with.

use std::collections::BTreeMap;

use orchestrator_plugin_oci::protocol::{EnvironmentRequest, Fault, StatsAnswer, TargetRequest, Verb};

use super::{Helper, blocking};

impl Helper {
    /// Measures once what a running container uses.
    pub(crate) async fn stats(&self, request: &TargetRequest) -> Result<StatsAnswer, Fault> {
        let (entry, _) = self.running(request, Verb::Measure)?;
        let group = self.group(&entry.reference);
        blocking(Verb::Measure, &entry.record().name, move || group.stats()).await
    }

    /// The variables of the specification whose names begin like this.
    pub(crate) fn environment(&self, request: &EnvironmentRequest) -> Option<BTreeMap<String, String>> {
        let record = self.of(&request.of)?.record();
        let all = record.spec.environment.iter();
        let wanted = all.filter(|(name, _)| name.starts_with(&request.prefix));
        Some(wanted.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}
