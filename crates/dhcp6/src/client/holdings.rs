//! The leases of a client.

use serde::{Deserialize, Serialize};

use super::inbound::{Granted, GrantedLease};
use crate::leased::{Kind, Leased};
use crate::lifetime::until;
use crate::rkap::ReconfigureKey;
use crate::{Duid, Iaid};

/// The shortest pause before a lease is renewed, whatever a server sends.
const LEAST_PAUSE: i64 = 1000;
/// The largest number of addresses and prefixes, whatever servers grant.
const MOST: usize = 16;
/// A time that does not end, in seconds.
const INFINITY: u32 = u32::MAX;

/// An address or prefix that a client has leased. Times are milliseconds since 1970; [`i64::MAX`] means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The address or prefix.
    pub leased: Leased,
    /// When the preferred lifetime ends.
    pub preferred_until: i64,
    /// When the valid lifetime ends.
    pub valid_until: i64,
}

/// All leases of a client, with their server. They are to be remembered over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// The server that granted or extended it last.
    pub server: Duid,
    /// The identity association that it is in.
    pub iaid: Iaid,
    /// The leased addresses and prefixes.
    pub leases: Vec<Lease>,
    /// T1: when the server is asked to extend them, in milliseconds since 1970.
    pub renew_at: i64,
    /// T2: when any server is asked to extend them.
    pub rebind_at: i64,
    /// The key with which the server signs Reconfigures.
    #[serde(default)]
    pub reconfigure_key: Option<ReconfigureKey>,
}

impl Holdings {
    /// No leases yet from this server.
    pub(super) fn new(server: Duid, iaid: Iaid) -> Self {
        Self {
            server,
            iaid,
            leases: Vec::new(),
            renew_at: i64::MAX,
            rebind_at: i64::MAX,
            reconfigure_key: None,
        }
    }

    /// The leased addresses or prefixes.
    pub(super) fn of(&self, kind: Kind) -> Vec<Leased> {
        let all = self.leases.iter().map(|lease| lease.leased);
        all.filter(|leased| leased.kind() == kind).collect()
    }

    /// Adds the leases that a server grants. Returns those that it ended.
    pub(super) fn take(&mut self, granted: &[Granted], now: i64) -> Vec<Leased> {
        let mut ended = Vec::new();
        for lease in granted.iter().flat_map(|granted| &granted.leases) {
            let known = self.leases.iter().position(|known| known.leased == lease.leased);
            match (known, lease.valid) {
                (Some(known), 0) => ended.push(self.leases.remove(known).leased),
                (Some(known), _) => self.leases[known] = Lease::new(lease, now),
                (None, 0) => {}
                (None, _) if self.leases.len() == MOST => {}
                (None, _) => self.leases.push(Lease::new(lease, now)),
            }
        }
        self.plan(granted, now);
        ended
    }

    /// Removes expired leases, and returns them.
    pub(super) fn take_expired(&mut self, now: i64) -> Vec<Leased> {
        let expired = self.leases.extract_if(.., |lease| lease.valid_until <= now);
        expired.map(|lease| lease.leased).collect()
    }

    /// Removes a lease.
    pub(super) fn remove(&mut self, leased: Leased) {
        self.leases.retain(|lease| lease.leased != leased);
    }

    /// When the first lease ends.
    pub(super) fn first_end(&self) -> Option<i64> {
        self.leases.iter().map(|lease| lease.valid_until).min()
    }

    /// Plans T1 and T2: by the association with the earliest times, or else from the shortest preferred lifetime
    /// (sections
    /// 14.2 and 21.4).
    fn plan(&mut self, granted: &[Granted], now: i64) {
        let living = || {
            granted
                .iter()
                .filter(|granted| granted.leases.iter().any(|lease| lease.valid > 0))
        };
        let shortest = living().flat_map(|granted| &granted.leases);
        let shortest = shortest
            .filter(|lease| lease.valid > 0)
            .map(|lease| lease.preferred)
            .min();
        let part = |tenths: u64| match shortest {
            None | Some(INFINITY) => i64::MAX,
            Some(preferred) => now.saturating_add_unsigned(u64::from(preferred) * tenths * 100),
        };
        let earliest = |time: fn(&Granted) -> u32| living().map(time).filter(|time| *time > 0).min();
        let end = self.first_end().unwrap_or(i64::MAX);
        let at = |seconds: Option<u32>, tenths| seconds.map_or(part(tenths), |seconds| until(now, seconds));
        let least = now.saturating_add(LEAST_PAUSE);
        self.rebind_at = at(earliest(|granted| granted.t2), 8).min(end).max(least);
        self.renew_at = at(earliest(|granted| granted.t1), 5).min(self.rebind_at).max(least);
    }
}

impl Lease {
    fn new(lease: &GrantedLease, now: i64) -> Self {
        Self {
            leased: lease.leased,
            preferred_until: until(now, lease.preferred),
            valid_until: until(now, lease.valid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn granted(t1: u32, t2: u32, leases: &[(&str, u32, u32)]) -> Granted {
        let lease = |(leased, preferred, valid): &(&str, u32, u32)| GrantedLease {
            leased: leased.parse().unwrap(),
            preferred: *preferred,
            valid: *valid,
        };
        Granted {
            kind: Kind::Address,
            iaid: Iaid(1),
            t1,
            t2,
            leases: leases.iter().map(lease).collect(),
            status: None,
        }
    }

    fn planned(granted: &[Granted]) -> (i64, i64) {
        let mut holdings = Holdings::new(Duid::new([0, 2, 1]).unwrap(), Iaid(1));
        assert!(holdings.take(granted, NOW).is_empty());
        let after = |time: i64| if time == i64::MAX { -1 } else { (time - NOW) / 100 };
        (after(holdings.renew_at), after(holdings.rebind_at))
    }

    #[test]
    fn it_is_renewed_as_told_or_by_the_preferred_lifetime() {
        let lease = ("2001:db8::1", 100, 200);
        assert_eq!(planned(&[granted(30, 40, &[lease])]), (300, 400));
        assert_eq!(planned(&[granted(0, 0, &[lease])]), (500, 800));
        let prefix = ("2001:db8:1::/64", 40, 50);
        assert_eq!(
            planned(&[granted(50, 80, &[lease]), granted(20, 32, &[prefix])]),
            (200, 320)
        );
        let forever = ("2001:db8::1", INFINITY, INFINITY);
        assert_eq!(planned(&[granted(0, 0, &[forever])]), (-1, -1));
        assert_eq!(planned(&[granted(INFINITY, INFINITY, &[forever])]), (-1, -1));
    }

    #[test]
    fn never_after_its_end_nor_without_a_pause() {
        assert_eq!(
            planned(&[granted(500, 600, &[("2001:db8::1", 100, 200)])]),
            (2000, 2000)
        );
        assert_eq!(planned(&[granted(0, 0, &[("2001:db8::1", 0, 200)])]), (10, 10));
    }

    #[test]
    fn what_the_server_ends_is_told() {
        let mut holdings = Holdings::new(Duid::new([0, 2, 1]).unwrap(), Iaid(1));
        holdings.take(&[granted(0, 0, &[("2001:db8::1", 50, 100)])], NOW);
        let next = granted(
            0,
            0,
            &[("2001:db8::2", 50, 100), ("2001:db8::1", 0, 0), ("2001:db8::3", 0, 0)],
        );
        assert_eq!(holdings.take(&[next], NOW + 5000), ["2001:db8::1".parse().unwrap()]);
        assert_eq!(holdings.of(Kind::Address), ["2001:db8::2".parse().unwrap()]);
        assert!(holdings.take_expired(NOW + 104_999).is_empty());
        assert_eq!(holdings.take_expired(NOW + 105_000).len(), 1);
    }
}
