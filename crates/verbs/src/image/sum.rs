//! How far a transfer is.

use std::collections::BTreeMap;

/// The sum over the parts of an image.
#[derive(Debug, Default)]
pub(super) struct Sum {
    parts: BTreeMap<(String, String), (u64, u64)>,
}

impl Sum {
    /// Takes a step of a part.
    pub(super) fn add(&mut self, part: &str, status: &str, done: u64, total: u64) {
        let key = (status.to_owned(), part.to_owned());
        self.parts.insert(key, (done, total));
    }

    /// How far what has this status is: `Downloading 1.2 MiB of 3.0 MiB`.
    pub(super) fn text(&self, status: &str) -> String {
        let own = self.parts.iter().filter(|((of, _), _)| of == status);
        let (done, total) = own.fold((0_u64, 0_u64), |(done, total), (_, (one, all))| {
            (done.saturating_add(*one), total.saturating_add(*all))
        });
        match total {
            0 => status.to_owned(),
            total => format!("{status} {} of {}", amount(done), amount(total)),
        }
    }
}

/// Bytes for people.
pub(crate) fn amount(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut shown = "B";
    for unit in units {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        shown = unit;
    }
    match shown {
        "B" => format!("{bytes} B"),
        unit => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_the_largest_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_500_000, "1.4 MiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
    }

    #[test]
    fn parts_are_summed_by_what_is_done_to_them() {
        let mut sum = Sum::default();
        sum.add("a", "Downloading", 512, 1024);
        sum.add("b", "Downloading", 1024, 1024);
        sum.add("a", "Downloading", 1024, 1024);
        sum.add("a", "Extracting", 1, 2);
        assert_eq!(sum.text("Downloading"), "Downloading 2.0 KiB of 2.0 KiB");
        assert_eq!(sum.text("Waiting"), "Waiting");
    }
}
