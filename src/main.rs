//! orchestrator: parses, sets up, dispatches.

fn main() {}
