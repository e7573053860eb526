//! The bounded walk over a datagram, before anything decodes it.
//!
//! A datagram is a message type, three bytes of transaction and options; an option is code, length and body; the
//! bodies of identity associations and of their addresses and prefixes end in options again. The walk goes through
//! all of them without recursion and without allocation, and passes only what is bounded in size, number and depth,
//! lies inside its parent, has a length that its code allows, and comes no more often than its code allows.
//! The walk does not enter bodies that the server does not read: unknown options, vendor options, classes. The server
//! checks the options that it reads and ignores the content of all others, so that a client may add options that nobody
//! needs. It also ignores up to three zero bytes behind the last option. After the walk, [`Options`] iterates over the
//! same bytes and finds no fault.

use dhcproto::v6::OptionCode;

/// The longest datagram that the server reads, in bytes. No client or chain of relay agents has a reason to send more.
pub const MAX_DATAGRAM: usize = 8192;
/// The largest number of options in a message, at all depths together.
pub const MAX_OPTIONS: usize = 256;
/// The deepest nesting: message, identity association, address or prefix, and the options in that.
pub const MAX_DEPTH: usize = 4;

/// The length of message type and transaction id.
pub(crate) const HEADER: usize = 4;

/// The reason why a datagram did not pass the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is longer than [`MAX_DATAGRAM`].
    #[error("{0} bytes are more than a message may have")]
    TooLong(usize),
    /// It is shorter than a header.
    #[error("{0} bytes are too few for a message")]
    TooShort(usize),
    /// An option reaches beyond its parent, or there is no room for its code and length.
    #[error("an option reaches beyond the end of the message or option that contains it")]
    Truncated,
    /// An option has a length that its code does not allow.
    #[error("option {code} cannot have {length} bytes")]
    Length {
        /// The option.
        code: u16,
        /// Its length.
        length: usize,
    },
    /// An option that may occur once is repeated.
    #[error("option {0} came twice")]
    Twice(u16),
    /// Two identity associations of a type have the same IAID (RFC 9915, section 12).
    #[error("an IAID came twice")]
    IaidTwice,
    /// There are more options than [`MAX_OPTIONS`].
    #[error("there are too many options")]
    TooMany,
    /// Options are nested deeper than [`MAX_DEPTH`].
    #[error("options are nested too deep")]
    TooDeep,
}

/// A message that passed the walk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) transaction: [u8; 3],
    options: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Walks a message and checks every option in it that is known.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub(crate) fn walk(datagram: &'a [u8]) -> Result<Self, Fault> {
        Self::walk_checking(datagram, |_| true)
    }

    /// Walks a client's message and checks the options that the server reads.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub(crate) fn walk_for_server(datagram: &'a [u8]) -> Result<Self, Fault> {
        Self::walk_checking(datagram, is_read_by_server)
    }

    fn walk_checking(datagram: &'a [u8], is_read: fn(u16) -> bool) -> Result<Self, Fault> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(Fault::TooLong(datagram.len()));
        }
        let Some(([kind, transaction @ ..], options)) = datagram.split_first_chunk::<HEADER>() else {
            return Err(Fault::TooShort(datagram.len()));
        };
        walk_options(options, is_read)?;
        Ok(Self {
            kind: *kind,
            transaction: *transaction,
            options,
        })
    }

    /// The options of the message itself.
    pub(crate) fn options(&self) -> Options<'a> {
        Options(self.options)
    }
}

/// Iterates over adjacent options. It would end at a malformed one, but the walk has ruled that out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (code, body, rest) = split_option(self.0).ok()??;
        self.0 = rest;
        Some((code, body))
    }
}

/// An option's code and body, and the bytes after it.
type Split<'a> = (u16, &'a [u8], &'a [u8]);

/// Splits off the first option; `None` if there is none left.
pub(crate) fn split_option(bytes: &[u8]) -> Result<Option<Split<'_>>, Fault> {
    if is_padding(bytes) {
        return Ok(None);
    }
    let ([c0, c1, l0, l1], rest) = bytes.split_first_chunk::<4>().ok_or(Fault::Truncated)?;
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (body, rest) = rest.split_at_checked(length).ok_or(Fault::Truncated)?;
    Ok(Some((u16::from_be_bytes([*c0, *c1]), body, rest)))
}

/// Whether the bytes are padding: too few for an option, and all zero. Otherwise they are a truncated option.
fn is_padding(bytes: &[u8]) -> bool {
    bytes.len() < 4 && bytes.iter().all(|byte| *byte == 0)
}

/// Walks options and their nested options, on a stack of fixed depth. Options that are not read may have any length and
/// occur any number of times. Nested options are always walked, so that they are bounded.
fn walk_options(options: &[u8], is_read: fn(u16) -> bool) -> Result<(), Fault> {
    let mut stack: [(&[u8], Seen); MAX_DEPTH] = [(&[], Seen::default()); MAX_DEPTH];
    stack[0].0 = options;
    let (mut depth, mut count) = (0, 0);
    loop {
        let (left, seen) = &mut stack[depth];
        let Some((code, body, rest)) = split_option(left)? else {
            if depth == 0 {
                return Ok(());
            }
            depth -= 1;
            continue;
        };
        *left = rest;
        count += 1;
        if count > MAX_OPTIONS {
            return Err(Fault::TooMany);
        }
        if is_read(code) {
            check_length(code, body.len())?;
            seen.note(code)?;
        }
        if let Some(nested) = fixed_part(code)
            .and_then(|fixed| body.get(fixed..))
            .filter(|nested| !nested.is_empty())
        {
            depth += 1;
            *stack.get_mut(depth).ok_or(Fault::TooDeep)? = (nested, Seen::default());
        }
    }
}

/// The options that may occur only once and have occurred, at one depth.
#[derive(Debug, Clone, Copy, Default)]
struct Seen(u128);

impl Seen {
    fn note(&mut self, code: u16) -> Result<(), Fault> {
        // All codes of options that occur once are below 128, except the relay source port, which no client sends.
        if !comes_once(code) || code >= 128 {
            return Ok(());
        }
        let bit = 1 << code;
        if self.0 & bit != 0 {
            return Err(Fault::Twice(code));
        }
        self.0 |= bit;
        Ok(())
    }
}

/// Whether the server reads this option in a client's message.
///
/// Elapsed time and status count as read: the protocol fixes their format, and a client that gets these wrong cannot be
/// trusted with the rest. The user class does not count: it is validated where a class reads it.
fn is_read_by_server(code: u16) -> bool {
    use OptionCode as C;
    matches!(
        OptionCode::from(code),
        C::ClientId
            | C::ServerId
            | C::IANA
            | C::IAPD
            | C::IAAddr
            | C::IAPrefix
            | C::ORO
            | C::ElapsedTime
            | C::StatusCode
            | C::RapidCommit
            | C::ReconfAccept
            | C::ClientFqdn
    )
}

/// The number of bytes before the nested options; `None` for options without any.
fn fixed_part(code: u16) -> Option<usize> {
    match OptionCode::from(code) {
        OptionCode::IANA | OptionCode::IAPD => Some(12),
        OptionCode::IATA => Some(4),
        OptionCode::IAAddr => Some(24),
        OptionCode::IAPrefix => Some(25),
        _ => None,
    }
}

/// Whether an option may come once only (RFC 9915, section 24; RFC 3646; RFC 4704).
fn comes_once(code: u16) -> bool {
    use OptionCode as C;
    matches!(
        OptionCode::from(code),
        C::ClientId
            | C::ServerId
            | C::ORO
            | C::Preference
            | C::ElapsedTime
            | C::RelayMsg
            | C::Authentication
            | C::ServerUnicast
            | C::StatusCode
            | C::RapidCommit
            | C::UserClass
            | C::InterfaceId
            | C::ReconfMsg
            | C::ReconfAccept
            | C::DomainNameServers
            | C::DomainSearchList
            | C::InformationRefreshTime
            | C::ClientFqdn
            | C::SolMaxRt
            | C::InfMaxRt
    )
}

/// Checks the length of an option against what its code allows (RFC 9915, section 21).
pub(crate) fn check_length(code: u16, length: usize) -> Result<(), Fault> {
    use OptionCode as C;
    let right = match OptionCode::from(code) {
        // A DUID has two bytes of type and 1 to 128 more (section 11.1).
        C::ClientId | C::ServerId => (3..=130).contains(&length),
        C::IANA | C::IAPD => length >= 12,
        C::IATA | C::VendorClass | C::VendorOpts => length >= 4,
        C::IAAddr => length >= 24,
        C::IAPrefix => length >= 25,
        C::ORO => length.is_multiple_of(2),
        C::Preference | C::ReconfMsg => length == 1,
        C::ElapsedTime => length == 2,
        C::StatusCode => length >= 2,
        C::Authentication => length >= 11,
        C::ServerUnicast => length == 16,
        C::RapidCommit | C::ReconfAccept => length == 0,
        C::DomainNameServers => length.is_multiple_of(16),
        C::InformationRefreshTime | C::SolMaxRt | C::InfMaxRt => length == 4,
        C::ClientFqdn => length >= 1,
        _ => true,
    };
    if right {
        Ok(())
    } else {
        Err(Fault::Length { code, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(code: u16, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap();
        [&code.to_be_bytes(), &length.to_be_bytes(), body].concat()
    }

    fn walk(options: &[u8]) -> Result<usize, Fault> {
        Frame::walk(&[&[1, 0, 0, 1], options].concat()).map(|frame| frame.options().count())
    }

    #[test]
    fn what_is_well_formed_passes() {
        let ia = option(3, &[&[0; 12][..], &option(5, &[0; 24])].concat());
        assert_eq!(
            walk(&[option(1, &[0; 3]), ia.clone(), ia, option(999, b"anything")].concat()),
            Ok(4)
        );
        assert_eq!(walk(&[]), Ok(0));
    }

    #[test]
    fn lengths_are_checked() {
        for (code, length) in [
            (1, 2),
            (1, 131),
            (2, 2),
            (3, 11),
            (4, 3),
            (5, 23),
            (6, 1),
            (7, 0),
            (8, 1),
            (8, 3),
        ] {
            assert_eq!(
                walk(&option(code, &vec![0; length])),
                Err(Fault::Length { code, length })
            );
        }
        for (code, length) in [
            (13, 1),
            (14, 1),
            (16, 3),
            (17, 3),
            (20, 1),
            (23, 15),
            (25, 11),
            (26, 24),
            (32, 3),
            (39, 0),
        ] {
            assert_eq!(
                walk(&option(code, &vec![0; length])),
                Err(Fault::Length { code, length })
            );
        }
        assert_eq!(walk(&option(13, &[0; 9])), Ok(1));
    }

    #[test]
    fn what_reaches_out_of_its_parent_is_refused() {
        assert_eq!(walk(&[0, 1, 0, 4, 0, 0, 0]), Err(Fault::Truncated));
        assert_eq!(walk(&[0, 1, 0]), Err(Fault::Truncated));
        let inner = [&[0; 12][..], &[0, 5, 0, 24, 1]].concat();
        assert_eq!(walk(&[option(3, &inner), vec![0; 40]].concat()), Err(Fault::Truncated));
    }

    #[test]
    fn zeros_that_are_too_few_for_an_option_are_passed_over_at_every_depth() {
        let known = option(999, b"anything");
        for zeros in 1..4 {
            assert_eq!(walk(&vec![0; zeros]), Ok(0));
            assert_eq!(walk(&[&known[..], &vec![0; zeros]].concat()), Ok(1));
            // Four zeros are an option without a body.
            assert_eq!(walk(&[&known[..], &vec![0; 4 + zeros]].concat()), Ok(2));
            let padded = option(3, &[&[0; 12][..], &option(5, &[0; 24]), &vec![0; zeros]].concat());
            assert_eq!(walk(&[padded, known.clone()].concat()), Ok(2));
        }
        for cut in [&[1][..], &[0, 1], &[1, 0, 0], &[0, 0, 1], &[0, 0, 0, 1]] {
            assert_eq!(walk(&[&known[..], cut].concat()), Err(Fault::Truncated), "{cut:?}");
        }
    }

    #[test]
    fn the_server_checks_what_it_reads_and_nothing_else() {
        let served = |options: &[u8]| {
            let datagram = [&[1, 0, 0, 1], options].concat();
            Frame::walk_for_server(&datagram).map(|frame| frame.options().count())
        };
        for (code, length) in [
            (4, 3),
            (7, 0),
            (11, 10),
            (16, 3),
            (17, 0),
            (19, 2),
            (23, 15),
            (32, 3),
            (82, 5),
        ] {
            let odd = option(code, &vec![9; length]);
            assert_eq!(served(&[odd.clone(), odd].concat()), Ok(2), "{code}");
        }
        // Nested options are walked, whether or not they are read.
        assert_eq!(served(&option(4, &[0, 0, 0, 1, 0, 3, 0, 99])), Err(Fault::Truncated));
        assert_eq!(served(&option(17, &[0, 0, 0, 1, 0, 3, 0, 99])), Ok(1));
        for (code, length) in [
            (1, 2),
            (2, 131),
            (3, 11),
            (6, 1),
            (8, 1),
            (13, 1),
            (14, 1),
            (20, 1),
            (25, 11),
            (39, 0),
        ] {
            let odd = option(code, &vec![9; length]);
            assert_eq!(served(&odd), Err(Fault::Length { code, length }));
        }
        for (code, length) in [(1, 3), (2, 3), (6, 2), (8, 2), (13, 2), (14, 0), (20, 0), (39, 1)] {
            let once = option(code, &vec![9; length]);
            assert_eq!(served(&once), Ok(1), "{code}");
            assert_eq!(served(&[once.clone(), once].concat()), Err(Fault::Twice(code)));
        }
        let inner = [&[0; 12][..], &option(5, &[0; 23])].concat();
        assert_eq!(served(&option(3, &inner)), Err(Fault::Length { code: 5, length: 23 }));
    }

    #[test]
    fn singletons_come_once_at_each_depth() {
        assert_eq!(
            walk(&[option(1, &[0; 4]), option(1, &[0; 4])].concat()),
            Err(Fault::Twice(1))
        );
        let inner = [&[0; 12][..], &option(13, &[0; 2]), &option(13, &[0; 2])].concat();
        assert_eq!(walk(&option(3, &inner)), Err(Fault::Twice(13)));
        let once = option(3, &[&[0; 12][..], &option(13, &[0; 2])].concat());
        assert_eq!(walk(&[option(13, &[0; 2]), once.clone(), once].concat()), Ok(3));
    }

    #[test]
    fn depth_number_and_size_are_bounded() {
        let nested = |depth: usize| (0..depth).fold(Vec::new(), |inner, _| option(4, &[&[0; 4][..], &inner].concat()));
        assert_eq!(walk(&nested(MAX_DEPTH)), Ok(1));
        assert_eq!(walk(&nested(MAX_DEPTH + 1)), Err(Fault::TooDeep));
        assert_eq!(walk(&nested(1000)), Err(Fault::TooDeep));
        assert_eq!(walk(&option(99, &[]).repeat(MAX_OPTIONS)), Ok(MAX_OPTIONS));
        assert_eq!(walk(&option(99, &[]).repeat(MAX_OPTIONS + 1)), Err(Fault::TooMany));
        assert_eq!(Frame::walk(&vec![0; 65_535]).err(), Some(Fault::TooLong(65_535)));
        assert_eq!(Frame::walk(&[1, 2, 3]).err(), Some(Fault::TooShort(3)));
    }
}
