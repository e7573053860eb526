//! Amounts of memory as people write them: `128MiB`, `2GiB`.

/// The text is not an amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount of memory")]
pub(super) struct SizeError(String);

const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

/// Parses a whole number with its unit into bytes.
pub(super) fn parse_size(text: &str) -> Result<u64, SizeError> {
    let fault = || SizeError(text.to_owned());
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
    let (number, unit) = text.split_at(digits);
    let shift = UNITS
        .iter()
        .find(|(name, _)| *name == unit.trim_start())
        .ok_or_else(fault)?
        .1;
    let number: u64 = number.parse().map_err(|_| fault())?;
    number.checked_mul(1 << shift).ok_or_else(fault)
}

/// Formats an amount of memory, a whole number of KiB, in the largest unit that gives a whole number.
pub(super) fn write_size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20)];
    let whole = units
        .iter()
        .find(|(_, shift)| bytes.trailing_zeros() >= *shift && bytes > 0);
    match whole {
        Some((name, shift)) => format!("{}{name}", bytes >> shift),
        None => format!("{}KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("128MiB", 134_217_728),
            ("1KiB", 1024),
            ("2 GiB", 2_147_483_648),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "128", "MiB", "128MB", "128mib", "-1MiB", "1.5GiB", "99999999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
