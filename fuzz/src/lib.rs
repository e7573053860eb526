//! What is fuzzed of the protocol: functions from bytes, which panic where an invariant does not hold.
//!
//! The functions know nothing of a fuzzer. `fuzz/libfuzzer` puts libFuzzer around each, for `make fuzz`; the tests of
//! this crate give each its corpus, for `make test`. A corpus holds what `seeds` makes and, as `regression-*`, what a
//! fuzzer once found.
//!
//! What is checked is checked by means of its own: messages are read and made by `orchestrator-wire`, which shares
//! nothing with the protocol's codec, and what clients hold is kept in books of its own.

mod advert;
mod answer;
mod client;
mod frame;
mod kept;
mod lease;
mod names;
mod relay;
mod script;
mod seeds;
mod server;
mod world;

pub use advert::run as advert;
pub use client::run as client;
pub use frame::run as frame;
pub use names::run as names;
pub use relay::run as relay;
pub use server::run as server;

/// A function to be fuzzed, and the name of its corpus.
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// What its corpus begins with: names and inputs.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// All that is fuzzed.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frame",
        run: frame,
        seeds: seeds::frame,
    },
    Target {
        name: "relay",
        run: relay,
        seeds: seeds::relay,
    },
    Target {
        name: "server",
        run: server,
        seeds: seeds::server,
    },
    Target {
        name: "advert",
        run: advert,
        seeds: seeds::advert,
    },
    Target {
        name: "client",
        run: client,
        seeds: seeds::client,
    },
    Target {
        name: "names",
        run: names,
        seeds: seeds::names,
    },
];
