//! `orchestrator version`.

use serde_json::json;

use super::failure::Failure;
use super::{Output, table};

pub(super) fn run(output: Output) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match output {
        Output::Table | Output::Wide => table::print(&format!("orchestrator {version}")),
        Output::Json | Output::Yaml | Output::Name => {
            table::print(&table::data(output, &json!({ "version": version }))?)
        }
    }
}
