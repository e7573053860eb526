//! Identity associations for prefixes (section 21.21), and prefixes in them (section 21.22).

use std::net::Ipv6Addr;

use super::{Bytes, IA_PD, IA_PREFIX, Message, Options, PD_EXCLUDE, SUCCESS, option};

/// An identity association for prefixes, with a hint of this length when one is given.
pub(crate) fn ia_pd(iaid: u32, hint: Option<u8>) -> Vec<u8> {
    let head = [iaid.to_be_bytes(), [0; 4], [0; 4]].concat();
    let hint = hint.map(|length| option(IA_PREFIX, &[&[0; 8][..], &[length], &[0; 16]].concat()));
    option(IA_PD, &[head, hint.unwrap_or_default()].concat())
}

/// An identity association for prefixes that names these, each an address and a length.
pub(crate) fn ia_pd_naming(iaid: u32, prefixes: &[&str]) -> Vec<u8> {
    let prefix = |text: &&str| {
        let (address, length) = text.split_once('/').unwrap();
        let address: Ipv6Addr = address.parse().unwrap();
        option(
            IA_PREFIX,
            &[&[0; 8][..], &[length.parse().unwrap()], &address.octets()].concat(),
        )
    };
    let head = [iaid.to_be_bytes(), [0; 4], [0; 4]].concat();
    let prefixes: Vec<_> = prefixes.iter().map(prefix).collect();
    option(IA_PD, &[head, prefixes.concat()].concat())
}

/// An identity association for prefixes, as the server answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IaPd {
    pub(crate) iaid: u32,
    pub(crate) t1: u32,
    pub(crate) t2: u32,
    pub(crate) prefixes: Vec<Prefix>,
    /// The status code in it.
    pub(crate) status: Option<u16>,
}

/// A prefix with its lifetimes in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Address and length.
    pub(crate) text: String,
    pub(crate) preferred: u32,
    pub(crate) valid: u32,
    /// Body of the option that excludes a part of it (RFC 6603).
    pub(crate) excluded: Option<Vec<u8>>,
}

impl Message {
    /// The identity associations for prefixes.
    pub(crate) fn ias_pd(&self) -> Vec<IaPd> {
        self.options.all(IA_PD).map(IaPd::parse).collect()
    }

    /// The identity association for prefixes of this id.
    pub(crate) fn ia_pd(&self, iaid: u32) -> IaPd {
        let ias = self.ias_pd();
        ias.into_iter()
            .find(|ia| ia.iaid == iaid)
            .unwrap_or_else(|| panic!("no IA_PD {iaid} in {self:?}"))
    }

    /// The id and the status of each identity association for prefixes, in order; none has a prefix.
    pub(crate) fn refused_prefixes(&self) -> Vec<(u32, Option<u16>)> {
        let refused = |ia: IaPd| {
            assert!(ia.prefixes.is_empty(), "a prefix in {ia:?}");
            (ia.iaid, ia.status)
        };
        let mut refused: Vec<_> = self.ias_pd().into_iter().map(refused).collect();
        refused.sort();
        refused
    }
}

impl IaPd {
    fn parse(body: &[u8]) -> Self {
        let mut body = Bytes(body);
        let (iaid, t1, t2) = (body.u32(), body.u32(), body.u32());
        let nested = Options::parse(body.0);
        let prefixes = nested.all(IA_PREFIX).map(Prefix::parse).collect();
        Self {
            iaid,
            t1,
            t2,
            prefixes,
            status: nested.status(),
        }
    }

    /// The one prefix that it may use.
    pub(crate) fn delegated(&self) -> Prefix {
        let mut live = self.prefixes.iter().filter(|prefix| prefix.valid > 0);
        let first = live.next().unwrap_or_else(|| panic!("no prefix in {self:?}"));
        assert!(live.next().is_none(), "more than one prefix in {self:?}");
        assert_eq!(self.status.unwrap_or(SUCCESS), SUCCESS, "{self:?}");
        first.clone()
    }

    /// The prefixes that it must not use any more.
    pub(crate) fn ended(&self) -> Vec<String> {
        let ended = self
            .prefixes
            .iter()
            .filter(|prefix| (prefix.preferred, prefix.valid) == (0, 0));
        ended.map(|prefix| prefix.text.clone()).collect()
    }
}

impl Prefix {
    fn parse(body: &[u8]) -> Self {
        let mut body = Bytes(body);
        let (preferred, valid) = (body.u32(), body.u32());
        let ([length], address) = (body.take(), body.ip());
        let host_bits = u128::MAX.checked_shr(length.into()).unwrap_or(0);
        assert_eq!(u128::from(address) & host_bits, 0, "{address}/{length} has host bits");
        Self {
            text: format!("{address}/{length}"),
            preferred,
            valid,
            excluded: Options::parse(body.0).get(PD_EXCLUDE).map(<[u8]>::to_vec),
        }
    }
}
