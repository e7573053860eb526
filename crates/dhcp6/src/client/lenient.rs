//! Reads the options of a server's message, and ignores those that a client has no use for.
//!
//! A server's message is not walked as strictly as a client's. Like dhclient and dhcpcd, this client accepts servers
//! that pad their messages, that repeat an option, or whose last option reaches past the end. Each option is checked
//! where it is read:
//!
//! - The options end before the first one that reaches past the end, and before a tail of fewer than four bytes.
//! - An option with a length that its code does not allow counts as missing.
//! - If an option that may occur once is repeated, the first counts. The client and the server identifier, which say
//!   whose message it is, must then be equal; otherwise RFC 9915, section 16 requires that the message is discarded.
//!
//! A Reconfigure is different: it is signed as a whole, and walked as strictly as a client's message.

use dhcproto::v6::OptionCode;

use crate::frame::{Fault, HEADER, MAX_DATAGRAM, MAX_OPTIONS, Options, check_length};

/// The options of a server's message, as far as they can be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lenient<'a> {
    pub(super) kind: u8,
    pub(super) transaction: [u8; 3],
    options: Options<'a>,
    /// Whether an option reaches past the end of the message.
    pub(super) is_cut: bool,
}

impl<'a> Lenient<'a> {
    /// Splits a datagram into its header and its options.
    ///
    /// # Errors
    ///
    /// When the datagram is shorter than a header, or longer than [`MAX_DATAGRAM`].
    pub(super) fn split(datagram: &'a [u8]) -> Result<Self, Fault> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(Fault::TooLong(datagram.len()));
        }
        let Some(([kind, transaction @ ..], options)) = datagram.split_first_chunk::<HEADER>() else {
            return Err(Fault::TooShort(datagram.len()));
        };
        let mut rest = Options(options);
        rest.by_ref().for_each(drop);
        Ok(Self {
            kind: *kind,
            transaction: *transaction,
            options: Options(options),
            is_cut: rest.0.len() >= HEADER,
        })
    }

    /// All options with a length that their code allows.
    pub(super) fn options(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        sound(self.options)
    }

    /// The bodies of all options with this code.
    pub(super) fn all(&self, wanted: OptionCode) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let wanted = u16::from(wanted);
        self.options()
            .filter(move |(code, _)| *code == wanted)
            .map(|(_, body)| body)
    }

    /// The body of the first option with this code.
    pub(super) fn first(&self, wanted: OptionCode) -> Option<&'a [u8]> {
        self.all(wanted).next()
    }

    /// The body of an option that identifies the client or server of the message.
    ///
    /// # Errors
    ///
    /// When the option is repeated with another value.
    pub(super) fn identity(&self, wanted: OptionCode) -> Result<Option<&'a [u8]>, Fault> {
        let first = self.first(wanted);
        match self.all(wanted).all(|body| Some(body) == first) {
            true => Ok(first),
            false => Err(Fault::Twice(wanted.into())),
        }
    }
}

/// The options with a length that their code allows, up to the limit for a message.
pub(super) fn sound(options: Options<'_>) -> impl Iterator<Item = (u16, &[u8])> {
    options
        .take(MAX_OPTIONS)
        .filter(|(code, body)| check_length(*code, body.len()).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn option(code: u16, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap();
        [&code.to_be_bytes(), &length.to_be_bytes(), body].concat()
    }

    fn codes(options: &[u8]) -> (Vec<u16>, bool) {
        let datagram = [&[2, 0, 0, 1], options].concat();
        let split = Lenient::split(&datagram).unwrap();
        (split.options().map(|(code, _)| code).collect(), split.is_cut)
    }

    #[test]
    fn what_stands_before_a_bad_end_is_read() {
        let good = option(23, &[0; 16]);
        for stray in [&[][..], &[0], &[0, 0], &[0, 99, 0]] {
            assert_eq!(codes(&[&good, stray].concat()), (vec![23], false), "{stray:?}");
        }
        assert_eq!(codes(&[&good[..], &[0, 0, 0, 0, 0]].concat()), (vec![23, 0], false));
        assert_eq!(codes(&[&good[..], &[0, 99, 0, 200, 1]].concat()), (vec![23], true));
        let wrong = [option(7, &[1, 2]), option(23, &[0; 15]), good].concat();
        assert_eq!(codes(&wrong), (vec![23], false));
    }

    #[test]
    fn whose_a_message_is_is_said_once_or_alike() {
        let identity = |options: &[Vec<u8>]| {
            let datagram = [&[2, 0, 0, 1], &options.concat()[..]].concat();
            Lenient::split(&datagram)
                .unwrap()
                .identity(OptionCode::ClientId)
                .map(|body| body.map(<[u8]>::to_vec))
        };
        let (one, other) = (option(1, &[0, 3, 1]), option(1, &[0, 3, 2]));
        assert_eq!(identity(&[]), Ok(None));
        assert_eq!(identity(&[one.clone(), one.clone()]), Ok(Some(vec![0, 3, 1])));
        assert_eq!(identity(&[one, other]), Err(Fault::Twice(1)));
    }

    #[test]
    fn size_and_number_are_bounded() {
        assert_eq!(Lenient::split(&[2, 0, 0]).err(), Some(Fault::TooShort(3)));
        assert_eq!(Lenient::split(&vec![0; 8193]).err(), Some(Fault::TooLong(8193)));
        assert_eq!(codes(&option(99, &[]).repeat(1000)).0.len(), MAX_OPTIONS);
    }

    proptest! {
        /// Bytes after the options do not change the options before them.
        #[test]
        fn a_tail_changes_nothing(tail in prop::collection::vec(any::<u8>(), 0..4)) {
            let good = [option(1, &[0, 3, 1]), option(23, &[0; 32])].concat();
            prop_assert_eq!(codes(&[good, tail].concat()), (vec![1, 23], false));
        }
    }
}
