//! The lab: namespaces, bridges, engines, databases and real clients for tests, benches and the demo.
