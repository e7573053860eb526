//! The schema of the protocol is the one that is committed.

use std::path::Path;

/// The variable that has it written anew: `make openapi` sets it.
const UPDATE: &str = "UPDATE_OPENAPI";

#[test]
fn the_committed_schema_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/exec-schema.json");
    let schema = orchestrator_plugin_exec::protocol::schema();
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/exec-schema.json is not what the code says; `make openapi` writes it anew, and git shows what differs"
    );
    for verb in [
        "VERSION",
        "CHECK",
        "CHECK_IMAGE",
        "ADD",
        "STOP",
        "FIND",
        "DELETE",
        "LIST",
    ] {
        assert!(text.contains(&format!("\"const\": \"{verb}\"")), "{verb}");
        assert!(
            schema["properties"]["answers"]["properties"][verb].is_object(),
            "{verb}"
        );
    }
}
