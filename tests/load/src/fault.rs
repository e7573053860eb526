//! What a server did that no server may do, and what it merely refused.

use std::fmt;

use anyhow::{Result, ensure};
use serde::Serialize;

/// Counts of answers that were not as they have to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// No DHCPv6 answer, or one that names no client.
    pub malformed: u64,
    /// Of a server other than the one that the clients have.
    pub other_server: u64,
    /// The association is not the one that was asked about.
    pub other_association: u64,
    /// The address is none of the pool.
    pub outside_pool: u64,
    /// Another address than the one that the client holds.
    pub other_address: u64,
    /// Addresses that two clients were given.
    pub shared: u64,
    /// A status other than success, or no address. It is lost, but it is no breach.
    pub refused: u64,
    /// Answers to what the client no longer waited for, or to one that is not in this run. They are no breach.
    pub late: u64,
}

impl Faults {
    /// Answers that break the protocol.
    pub fn breaches(&self) -> u64 {
        self.malformed
            + self.other_server
            + self.other_association
            + self.outside_pool
            + self.other_address
            + self.shared
    }

    /// Says that nothing broke the protocol.
    ///
    /// # Errors
    ///
    /// When something did.
    pub fn check(&self) -> Result<()> {
        ensure!(self.breaches() == 0, "the server's answers are wrong: {self}");
        Ok(())
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("malformed", self.malformed),
            ("of another server", self.other_server),
            ("for another association", self.other_association),
            ("outside the pool", self.outside_pool),
            ("with another address", self.other_address),
            ("shared addresses", self.shared),
            ("refused", self.refused),
            ("late", self.late),
        ];
        let mut some = all.iter().filter(|(_, count)| *count > 0).peekable();
        if some.peek().is_none() {
            return f.write_str("none");
        }
        for (index, (what, count)) in some.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {what}")?;
        }
        Ok(())
    }
}
