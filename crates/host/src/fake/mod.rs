//! A host in memory, for tests of what works on hosts.
//!
//! A [`FakeMachine`] is the machine: it keeps containers, attachments and networks, also when the daemon on it crashes.
//! A [`FakeHost`] is the daemon's way to it. It delays what it is asked, fails before or after it has done it, hangs,
//! and loses, repeats, delays and reorders what it reports, as its [`Faults`] say and a seed decides. Every wait is a
//! [`CrashPoints`] at which a test can end the daemon.
//!
//! The same seed and the same calls in the same order give the same machine.

mod crash;
mod examine;
mod faults;
mod hands;
mod host;
mod images;
mod machine;
mod networks;
mod random;
mod state;
mod steps;
mod verbs;
mod watch;

pub use crash::CrashPoints;
pub use faults::Faults;
pub use host::FakeHost;
pub use machine::{FakeMachine, MachineSettings};
pub use networks::{FakeBridge, FakeRoute};
pub use random::Random;
pub use state::{FakeAttachment, FakeContainer, FakeFilter, FakeState};
