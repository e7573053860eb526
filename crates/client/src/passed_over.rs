//! Ignored answers, counted by reason.

use std::collections::BTreeMap;
use std::fmt;

/// The number of reasons that are counted separately. All others are counted together, because a server can cause any
/// number of them.
const REASONS: usize = 8;

/// The numbers of ignored answers, by reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PassedOver {
    by_reason: BTreeMap<String, u64>,
    others: u64,
}

impl PassedOver {
    /// Counts one answer.
    pub(super) fn note(&mut self, reason: &str) {
        if let Some(count) = self.by_reason.get_mut(reason) {
            *count += 1;
        } else if self.by_reason.len() < REASONS {
            self.by_reason.insert(reason.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    fn count(&self) -> u64 {
        self.by_reason.values().sum::<u64>() + self.others
    }
}

/// The second half of a message that says that there is no lease.
impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            0 => return f.write_str("is there one on its link?"),
            1 => f.write_str("1 answer was passed over (-v shows each): ")?,
            count => write!(f, "{count} answers were passed over (-v shows each): ")?,
        }
        for (number, (reason, count)) in self.by_reason.iter().enumerate() {
            let comma = if number == 0 { "" } else { "; " };
            write!(f, "{comma}{count} because {reason}")?;
        }
        if self.others > 0 {
            write!(f, "; {} for other reasons", self.others)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_bounded() {
        let mut passed_over = PassedOver::default();
        assert_eq!(passed_over.to_string(), "is there one on its link?");
        passed_over.note("it is for another client");
        assert_eq!(
            passed_over.to_string(),
            "1 answer was passed over (-v shows each): 1 because it is for another client"
        );
        passed_over.note("it is for another client");
        (0..20).for_each(|number| passed_over.note(&format!("reason {number}")));
        let text = passed_over.to_string();
        assert!(
            text.starts_with("22 answers") && text.ends_with("13 for other reasons"),
            "{text}"
        );
        assert!(text.contains("2 because it is for another client"), "{text}");
    }
}
