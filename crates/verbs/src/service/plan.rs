//! What a deployment would change.

use orchestrator_api_types::Deployment;
use serde_json::Value;

use super::begun::Begun;
use crate::failure::Failure;
use crate::page;
use crate::session::Session;

/// Prints plans, each with the generation to hold it to.
pub(super) fn print(plans: Begun, session: &mut Session<'_>) -> Result<(), Failure> {
    match session.output.is_data() {
        true => session.print_items(&plans.items)?,
        false => {
            for item in &plans.items {
                print_one(&page::read(item, "a deployment")?, session)?;
            }
        }
    }
    plans.end()
}

fn print_one(plan: &Deployment, session: &mut Session<'_>) -> Result<(), Failure> {
    let what = match (plan.generation, plan.changes.is_empty(), plan.replaces) {
        (0, _, _) => "it is new",
        (_, _, true) => "its instances are replaced",
        (_, true, false) => "nothing changes",
        (_, false, false) => "its instances stay",
    };
    session.print(&format!("{}: {what} (--expect {})", plan.name, plan.generation))?;
    let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    for change in &plan.changes {
        let (before, after) = (shown(&change.before), shown(&change.after));
        session.print(&format!("  {}: {before} → {after}", change.key))?;
    }
    for warning in &plan.warnings {
        session.print(&format!("  warning: {warning}"))?;
    }
    Ok(())
}
