//! Mends what can be mended safely.

use std::collections::BTreeSet;
use std::path::Path;

use orchestrator_api_types::Mended;
use orchestrator_doctor::{Fix, mend_machine};
use orchestrator_host::RemovalPlan;
use orchestrator_model::InstanceId;
use orchestrator_runtime::causes::with_causes;

use super::marks::Marks;
use super::{Doctor, Found, within};
use crate::serve::control::Ready;

impl Doctor {
    /// Carries out each fix of the findings once. Returns what was done, and what failed.
    pub(in crate::serve) async fn mend(&self, found: &Found, ready: Option<&Ready>) -> Vec<Mended> {
        let findings = found.diagnosis.findings();
        let fixes: BTreeSet<&Fix> = findings.iter().filter_map(|finding| finding.fix.as_ref()).collect();
        let mut done = Vec::new();
        for fix in fixes {
            let outcome = match ready {
                Some(ready) => carry_out(fix, &found.marks, ready).await,
                None => mend_machine(Path::new("/"), fix).map_err(|fault| with_causes(&fault)),
            };
            match outcome {
                Ok(things) => done.extend(things.into_iter().map(|what| Mended { what, failed: None })),
                Err(reason) => {
                    tracing::warn!(fix = describe(fix), reason, "could not mend");
                    done.push(Mended {
                        what: describe(fix),
                        failed: Some(reason),
                    });
                }
            }
        }
        done
    }
}

async fn carry_out(fix: &Fix, marks: &Marks, ready: &Ready) -> Result<Vec<String>, String> {
    match fix {
        Fix::StrayContainer { instance } => remove_stray(instance, marks, ready).await,
        Fix::Pass => {
            ready.orchestrator.look_again();
            Ok(vec!["asked for a comparison of everything at once".to_owned()])
        }
        Fix::Forwarding
        | Fix::AcceptRouter { .. }
        | Fix::NeighborTable { .. }
        | Fix::Rules
        | Fix::StrayInterface { .. } => within(ready.host.mend(fix)).await,
    }
}

/// Removes an instance that is not in the database, unless it is there by now.
async fn remove_stray(instance: &str, marks: &Marks, ready: &Ready) -> Result<Vec<String>, String> {
    let id: InstanceId = instance.parse().map_err(|_| format!("{instance:?} is no id"))?;
    let known = within(ready.store.known_instances(&[id])).await?;
    if known.contains_key(&id)
        && within(ready.store.instance(id))
            .await?
            .is_some_and(|view| is_live(&view.instance))
    {
        return Ok(Vec::new());
    }
    // The orchestrator forgets an orphan that it has seen; one that it has not seen yet is removed all the same.
    if within(ready.orchestrator.remove_orphan(id)).await?.is_none() {
        let plan = RemovalPlan {
            id: Some(id),
            containers: marks.containers.get(&id).cloned().unwrap_or_default(),
            host_ends: marks.interfaces.get(&id).cloned().unwrap_or_default(),
            ..RemovalPlan::default()
        };
        within(ready.host.remove(&plan)).await?;
    }
    tracing::info!(instance = %id, "removed an instance that is not in the database");
    Ok(vec![format!("removed instance {id}, which was not in the database")])
}

fn is_live(instance: &orchestrator_model::Instance) -> bool {
    instance.phase != orchestrator_model::Phase::Removed
}

/// A fix in words.
fn describe(fix: &Fix) -> String {
    match fix {
        Fix::Forwarding => "have the machine forward IPv6 packets".to_owned(),
        Fix::AcceptRouter { interface } => format!("keep the default route of {interface}"),
        Fix::NeighborTable { entries } => format!("have the table of neighbours take {entries} entries"),
        Fix::Rules => "bring the packet filter to what is recorded".to_owned(),
        Fix::StrayContainer { instance } => format!("remove instance {instance}"),
        Fix::StrayInterface { interface } => format!("remove interface {interface}"),
        Fix::Pass => "compare everything at once".to_owned(),
    }
}
