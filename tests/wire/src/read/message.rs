//! A message of a client or a server.

use std::net::Ipv6Addr;

use super::{Bytes, Ia, IaPd, Options, Prefix};
use crate::{IA_NA, IA_PD, Xid};

/// A message that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Message type.
    pub kind: u8,
    /// Transaction id.
    pub xid: Xid,
    /// Its options.
    pub options: Options,
}

impl Message {
    /// Reads a message.
    ///
    /// # Panics
    ///
    /// When it is not well formed.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut bytes = Bytes(bytes);
        let [kind] = bytes.take();
        Self {
            kind,
            xid: bytes.take(),
            options: Options::parse(bytes.0),
        }
    }

    /// The status code of the message itself.
    ///
    /// # Panics
    ///
    /// When it comes twice, or its text is none.
    pub fn status(&self) -> Option<u16> {
        self.options.status()
    }

    /// The identity associations for addresses.
    pub fn ias(&self) -> Vec<Ia> {
        self.options.all(IA_NA).map(Ia::parse).collect()
    }

    /// The identity association for addresses of this id.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn ia(&self, iaid: u32) -> Ia {
        let found = self.ias().into_iter().find(|ia| ia.iaid == iaid);
        found.unwrap_or_else(|| panic!("no IA_NA {iaid} in {self:?}"))
    }

    /// The only identity association for addresses.
    ///
    /// # Panics
    ///
    /// When there is another number of them.
    pub fn only_ia(&self) -> Ia {
        let [ia] = self
            .ias()
            .try_into()
            .unwrap_or_else(|_| panic!("not one IA_NA in {self:?}"));
        ia
    }

    /// The only address of the only identity association.
    ///
    /// # Panics
    ///
    /// When there is another number of either, or a status that is no success.
    pub fn address(&self) -> Ipv6Addr {
        let ia = self.only_ia();
        assert_eq!((ia.addresses.len(), ia.status.unwrap_or(0)), (1, 0), "{self:?}");
        ia.addresses[0].ip
    }

    /// The identity associations for prefixes.
    pub fn ias_pd(&self) -> Vec<IaPd> {
        self.options.all(IA_PD).map(IaPd::parse).collect()
    }

    /// The identity association for prefixes of this id.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn ia_pd(&self, iaid: u32) -> IaPd {
        let found = self.ias_pd().into_iter().find(|ia| ia.iaid == iaid);
        found.unwrap_or_else(|| panic!("no IA_PD {iaid} in {self:?}"))
    }

    /// The only identity association for prefixes.
    ///
    /// # Panics
    ///
    /// When there is another number of them.
    pub fn only_ia_pd(&self) -> IaPd {
        let [ia] = self
            .ias_pd()
            .try_into()
            .unwrap_or_else(|_| panic!("not one IA_PD in {self:?}"));
        ia
    }

    /// The only prefix of the only identity association for prefixes.
    ///
    /// # Panics
    ///
    /// When there is another number of either, or a status that is no success.
    pub fn prefix(&self) -> String {
        let ia = self.only_ia_pd();
        assert_eq!((ia.prefixes.len(), ia.status.unwrap_or(0)), (1, 0), "{self:?}");
        ia.prefixes.into_iter().map(|Prefix { text, .. }| text).collect()
    }

    /// The id and the status of each identity association for prefixes, sorted; none has a prefix.
    ///
    /// # Panics
    ///
    /// When one has a prefix.
    pub fn refused_prefixes(&self) -> Vec<(u32, Option<u16>)> {
        let refused = |ia: IaPd| {
            assert!(ia.prefixes.is_empty(), "a prefix in {ia:?}");
            (ia.iaid, ia.status)
        };
        let mut refused: Vec<_> = self.ias_pd().into_iter().map(refused).collect();
        refused.sort();
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ADVERTISE, NO_ADDRS_AVAIL, client_id, duid, ia_address, ia_na, ia_na_timed, ia_pd, message, status};

    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let leased = ia_na_timed(1, (10, 20), &[ia_address(ADDRESS, 30, 40)]);
        let bytes = message(
            ADVERTISE,
            [7, 8, 9],
            &[client_id(&duid(1)), leased, ia_pd(2, &["2001:db8::/56"])],
        );
        let read = Message::parse(&bytes);
        assert_eq!((read.kind, read.xid, read.options.len()), (ADVERTISE, [7, 8, 9], 3));
        let ia = read.ia(1);
        assert_eq!(
            (ia.t1, ia.t2, ia.leased()),
            (10, 20, crate::Address::new(ADDRESS, 30, 40))
        );
        assert_eq!((read.address(), read.prefix()), (ADDRESS, "2001:db8::/56".to_owned()));
    }

    #[test]
    fn a_refusal_is_read_with_its_status() {
        let refused = ia_na_timed(1, (0, 0), &[status(NO_ADDRS_AVAIL, "full")]);
        let read = Message::parse(&message(ADVERTISE, [0; 3], &[refused]));
        assert_eq!(
            (read.only_ia().status, read.only_ia().addresses),
            (Some(NO_ADDRS_AVAIL), vec![])
        );
    }

    #[test]
    fn what_is_not_well_formed_fails_a_test() {
        let whole = message(ADVERTISE, [0; 3], &[ia_na(1, &[ADDRESS])]);
        let reads = |bytes: &[u8]| std::panic::catch_unwind(|| Message::parse(bytes).ias()).is_ok();
        assert!(reads(&whole));
        let ends: Vec<usize> = (0..whole.len()).filter(|end| reads(&whole[..*end])).collect();
        assert_eq!(ends, [4], "an option was cut off and nobody noticed");
    }
}
