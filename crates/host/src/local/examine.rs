//! Examines this machine for the doctor, and mends it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use futures_util::future::join_all;
use orchestrator_doctor::{
    EngineFacts, Fact, Fix, MachineRequest, PolicyFacts, examine_engine, examine_images, examine_machine, mend_machine,
};
use orchestrator_network::RouteMark;
use orchestrator_plugin::Id;

use super::LocalHost;
use crate::{Cause, Examination, ExamineRequest, PolicyItem};

/// The root of the files of this machine.
const ROOT: &str = "/";

impl LocalHost {
    /// Examines everything side by side.
    pub(super) async fn examine_all(&self, request: &ExamineRequest) -> Examination {
        let site = self.inner.mark.site;
        let machine = MachineRequest {
            site: Some(site.to_string()),
            mark: Some(RouteMark::of_site(site.bytes()).route_metric()),
            ..request.machine.clone()
        };
        let (mut machine, engines) = tokio::join!(
            examine_machine(self.network(), Path::new(ROOT), &machine),
            self.examine_engines(&request.engines)
        );
        if let Ok(machine) = &mut machine {
            machine.disks.extend(examine_images(&engines).await);
        }
        Examination {
            machine,
            engines,
            volumes: self.volumes_there(),
        }
    }

    async fn examine_engines(&self, wanted: &BTreeMap<String, BTreeSet<String>>) -> Vec<EngineFacts> {
        let ask = |(name, images): (&String, &BTreeSet<String>)| {
            let (name, images) = (name.clone(), images.clone());
            async move {
                match self.engine(&name) {
                    Ok(engine) => examine_engine(engine.as_ref(), &images).await,
                    Err(fault) => EngineFacts {
                        name,
                        product: Err(fault.text()),
                        equipment: Err(fault.text()),
                        data: None,
                        capabilities: BTreeSet::new(),
                        images: BTreeMap::new(),
                    },
                }
            }
        };
        join_all(wanted.iter().map(ask)).await
    }

    /// The names in the directory of the volumes that are ids.
    fn volumes_there(&self) -> Fact<BTreeSet<String>> {
        let directory = &self.inner.volumes;
        let failed = |fault: io::Error| format!("{}: {fault}", directory.display());
        let entries = match std::fs::read_dir(directory) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = BTreeSet::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            found.extend(name.parse::<Id>().is_ok().then_some(name));
        }
        Ok(found)
    }

    /// Carries out a fix of this machine.
    pub(super) async fn mend_here(&self, fix: &Fix) -> Result<Vec<String>, Cause> {
        match fix {
            Fix::Rules => Ok(self.restore_policy().await?.into_iter().collect()),
            Fix::StrayInterface { interface } => {
                let removed = self.network().remove_attachment(interface, &self.alias_prefix()).await;
                removed?;
                Ok(vec![format!("removed interface {interface}")])
            }
            fix => {
                let done = mend_machine(Path::new(ROOT), fix)?;
                for one in &done {
                    tracing::info!(what = one, "mended");
                }
                Ok(done)
            }
        }
    }
}

impl LocalHost {
    /// Compares the packet filter with these items. Nothing of ours changes it meanwhile.
    pub(super) async fn compare_rules(&self, items: &[PolicyItem]) -> Result<PolicyFacts, Cause> {
        let _unchanged = self.inner.policy.lock().await;
        let wanted = self.elements_of(items).await?;
        let filter = self.open_filter().await?;
        let is_loaded = filter.is_whole().await?;
        let found = match is_loaded {
            true => filter.elements().await?,
            false => BTreeSet::new(),
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Ok(PolicyFacts {
            is_loaded,
            wanted: Some(count(wanted.len())),
            missing: count(wanted.difference(&found).count()),
            surplus: count(found.difference(&wanted).count()),
        })
    }
}
