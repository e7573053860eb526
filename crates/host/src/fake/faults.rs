//! How often a fake host fails.

use std::time::Duration;

/// How often a fake host fails, in times a thousand, and how slow it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// A step fails before it has changed anything.
    pub fails_before: u32,
    /// A step fails after it has changed the machine.
    pub fails_after: u32,
    /// A step takes as long as an engine may, and then fails. It may have changed the machine.
    pub hangs: u32,
    /// The longest time that a step takes before its effect, and again after it.
    pub latency: Duration,
    /// A report is lost.
    pub loses: u32,
    /// A report comes twice.
    pub repeats: u32,
    /// The longest time that a report is late. Reports that are late by different times change their order.
    pub late: Duration,
    /// The watch breaks instead of a report.
    pub breaks: u32,
    /// How often, in a thousand, the effect of a dropped call happens later nevertheless.
    pub happens_late: u32,
}

impl Faults {
    /// A host that is slow and never fails.
    pub fn none() -> Self {
        Self {
            latency: Duration::from_millis(20),
            ..Self::default()
        }
    }

    /// A host on which everything fails now and then.
    pub fn many() -> Self {
        Self {
            fails_before: 40,
            fails_after: 40,
            hangs: 10,
            latency: Duration::from_millis(200),
            loses: 150,
            repeats: 150,
            late: Duration::from_secs(5),
            breaks: 10,
            happens_late: 500,
        }
    }
}
