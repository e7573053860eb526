//! Budgets: how much of a limit the clients behind one port may have.
//!
//! ```text
//!   limit ─┬─ what others have
//!          └─ what they leave ─┬─ the port's part of it (`share`) ─┬─ what other link-layer addresses there have
//!                              └─ kept for ports that come         └─ what they leave ─▶ the address's part of it
//! ```
//!
//! So a port alone never has everything, each further port finds something, and the last of it goes to ports that have
//! nothing yet.

/// A limit, with what is used of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// The limit; `None` for no limit.
    pub(super) limit: Option<u64>,
    /// What is used in all.
    pub(super) used: u64,
    /// What the port uses of that.
    pub(super) port: u64,
    /// What the link-layer address behind the port uses of that.
    pub(super) address: u64,
    /// Whether other link-layer addresses are behind the port.
    pub(super) is_shared: bool,
    /// What is asked for.
    pub(super) add: u64,
    /// The port's part, in thousandths.
    pub(super) share: u32,
}

/// What is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// All of the limit.
    Whole,
    /// The port's part of it.
    Port,
    /// The part of the link-layer address.
    Address,
}

impl Budget {
    /// Whether what is asked for is in the budget.
    pub(super) fn check(self) -> Result<(), Lack> {
        let Some(limit) = self.limit.filter(|_| self.add > 0) else {
            return Ok(());
        };
        if self.used.saturating_add(self.add) > limit {
            return Err(Lack::Whole);
        }
        let left_to_port = limit.saturating_sub(self.used.saturating_sub(self.port));
        let of_port = part(left_to_port, self.share);
        // The first instance of a share needs no room beyond itself.
        if self.port > 0 && self.port.saturating_add(self.add) > of_port {
            return Err(Lack::Port);
        }
        let left_to_address = of_port.saturating_sub(self.port.saturating_sub(self.address));
        let of_address = part(left_to_address, self.share);
        if self.is_shared && self.address > 0 && self.address.saturating_add(self.add) > of_address {
            return Err(Lack::Address);
        }
        Ok(())
    }
}

/// So many thousandths of an amount, rounded down.
fn part(amount: u64, share: u32) -> u64 {
    let part = u128::from(amount) * u128::from(share.min(1000)) / 1000;
    u64::try_from(part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Budget = Budget {
        limit: Some(100),
        used: 0,
        port: 0,
        address: 0,
        is_shared: false,
        add: 1,
        share: 750,
    };

    #[test]
    fn a_port_alone_gets_its_part_and_the_next_one_its_part_of_the_rest() {
        let alone = |used| Budget {
            used,
            port: used,
            ..ALONE
        };
        assert_eq!((alone(74).check(), alone(75).check()), (Ok(()), Err(Lack::Port)));
        let second = |port| Budget {
            used: 75 + port,
            port,
            ..ALONE
        };
        assert_eq!((second(17).check(), second(18).check()), (Ok(()), Err(Lack::Port)));
    }

    #[test]
    fn the_last_of_it_goes_to_a_port_that_has_nothing() {
        let last = |port| Budget {
            used: 99,
            port,
            ..ALONE
        };
        assert_eq!((last(0).check(), last(1).check()), (Ok(()), Err(Lack::Port)));
        let none = Budget { used: 100, ..ALONE };
        assert_eq!(none.check(), Err(Lack::Whole));
    }

    #[test]
    fn behind_a_shared_port_each_address_gets_its_part_of_what_the_port_gets() {
        let shared = |address, is_shared| Budget {
            used: 60,
            port: 60,
            address,
            is_shared,
            ..ALONE
        };
        // 75 for the port, 4 of them used by others, three quarters of the rest.
        assert_eq!(shared(56, true).check(), Err(Lack::Address));
        assert_eq!(shared(0, true).check(), Ok(()));
        assert_eq!(shared(60, false).check(), Ok(()));
    }

    #[test]
    fn without_a_limit_and_for_nothing_everything_fits() {
        let open = Budget {
            limit: None,
            used: u64::MAX,
            port: u64::MAX,
            ..ALONE
        };
        assert_eq!(open.check(), Ok(()));
        let nothing = Budget {
            used: 500,
            add: 0,
            ..ALONE
        };
        assert_eq!(nothing.check(), Ok(()));
    }
}
