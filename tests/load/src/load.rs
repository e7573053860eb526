//! What clients are to do, and what came of it.

use std::time::Duration;

use serde::Serialize;

use crate::{Faults, Latency};

/// What the clients want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Clients that hold nothing get an address, in four messages. There are always more of them.
    New,
    /// Clients that hold an address renew it, in turns.
    Renew,
    /// Clients that hold an address release it. It ends when none does.
    Release,
    /// Clients at random: one that holds nothing gets an address, others renew, and one in four releases.
    Mixed,
}

/// How fast they come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many exchanges a second are begun, whatever comes of them (open loop).
    Rate(f64),
    /// So many exchanges are under way at the same time (closed loop).
    Window(usize),
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// What the clients want.
    pub work: Work,
    /// How fast they come.
    pub pace: Pace,
    /// For how long exchanges are begun.
    pub span: Duration,
    /// How long a message may take to be answered.
    pub patience: Duration,
    /// Exchanges that are begun at most.
    pub most: u64,
}

impl Load {
    /// A load without an end but its span, that waits a second for each answer.
    pub fn new(work: Work, pace: Pace, span: Duration) -> Self {
        Self {
            work,
            pace,
            span,
            patience: Duration::from_secs(1),
            most: u64::MAX,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Outcome {
    /// Exchanges begun.
    pub begun: u64,
    /// Exchanges completed.
    pub completed: u64,
    /// Exchanges that were completed while others were begun, per second.
    pub rate: f64,
    /// For how long exchanges were begun, in seconds.
    pub seconds: f64,
    /// Processor time of the clients, in microseconds for each exchange begun.
    pub processor: f64,
    /// From Solicit to Advertise.
    pub advertise: Latency,
    /// From Request, Renew or Release to Reply.
    pub reply: Latency,
    /// From the first message of an exchange to its last.
    pub exchange: Latency,
    /// Answers that were not as they have to be.
    pub faults: Faults,
}

impl Outcome {
    /// The part of the exchanges that were not completed: 0 to 1.
    pub fn loss(&self) -> f64 {
        if self.begun == 0 {
            return 1.0;
        }
        1.0 - self.completed as f64 / self.begun as f64
    }
}
