//! The records of a POSIX extended header. Pure.

use std::time::Duration;

/// The extended headers of one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    /// Modification time: seconds since 1970, and nanoseconds.
    pub(crate) mtime: Option<(i64, u32)>,
    /// Extended attributes by their names.
    pub(crate) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether its content is written with holes.
    pub(crate) is_sparse: bool,
}

/// The prefix of the keys of extended attributes.
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";
/// The prefix of the keys of a file with holes.
const SPARSE: &[u8] = b"GNU.sparse.";

impl Extensions {
    /// Parses records: `length key=value\n`, where the length includes the whole record. A later record replaces an
    /// earlier one. Unknown keys are skipped. `None` if the text is malformed.
    pub(crate) fn read(&mut self, mut records: &[u8]) -> Option<()> {
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ')?;
            let length: usize = number(records.get(..space)?)?.try_into().ok()?;
            let (record, rest) = records.split_at_checked(length)?;
            let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|byte| *byte == b'=')?;
            self.take(record.get(..equals)?, record.get(equals + 1..)?)?;
            records = rest;
        }
        Some(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = Some(value.to_owned()),
            b"linkpath" => self.link = Some(value.to_owned()),
            b"size" => self.size = Some(number(value)?),
            b"uid" => self.uid = Some(number(value)?),
            b"gid" => self.gid = Some(number(value)?),
            b"mtime" => self.mtime = Some(moment(value)?),
            key if key.starts_with(SPARSE) => self.is_sparse = true,
            key => {
                if let Some(name) = key.strip_prefix(ATTRIBUTE) {
                    self.attributes.retain(|(other, _)| other != name);
                    self.attributes.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        Some(())
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// Parses `seconds` or `seconds.fraction`, which may be negative.
fn moment(text: &[u8]) -> Option<(i64, u32)> {
    let (sign, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(number(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    let mut nanoseconds = 0;
    for place in 0..9 {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        nanoseconds = nanoseconds * 10 + u32::from(digit.is_ascii_digit().then_some(digit - b'0')?);
    }
    if sign < 0 && nanoseconds > 0 {
        let rest = u32::try_from(Duration::from_secs(1).as_nanos()).ok()? - nanoseconds;
        return Some((seconds.checked_neg()?.checked_sub(1)?, rest));
    }
    Some((seconds * sign, nanoseconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(records: &[u8]) -> Option<Extensions> {
        let mut extensions = Extensions::default();
        extensions.read(records).map(|()| extensions)
    }

    #[test]
    fn records_are_read_and_the_last_counts() {
        let read =
            read(b"10 path=a\n14 path=b\nc=d\n9 uid=70\n15 comment=new\n30 mtime=1700000000.123456789\n").unwrap();
        assert_eq!(read.path.as_deref(), Some(&b"b\nc=d"[..]));
        assert_eq!((read.uid, read.mtime), (Some(70), Some((1_700_000_000, 123_456_789))));
    }

    #[test]
    fn times_before_1970_and_in_parts_of_seconds_are_read() {
        assert_eq!(moment(b"-1.5"), Some((-2, 500_000_000)));
        assert_eq!(moment(b"7.25"), Some((7, 250_000_000)));
        assert_eq!(moment(b"-3"), Some((-3, 0)));
        for text in [&b""[..], b"-", b"x", b"1.x", b"99999999999999999999"] {
            assert_eq!(moment(text), None);
        }
    }

    #[test]
    fn what_are_no_records_is_refused() {
        for records in [
            &b"x"[..],
            b"5 a=b",
            b"99 path=a\n",
            b"0 a=b\n",
            b"10 path=a\nx",
            b"8 uid=-1\n",
            b"3 =\n5 a\n",
        ] {
            assert_eq!(read(records), None, "{:?}", String::from_utf8_lossy(records));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
