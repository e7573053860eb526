//! `[images]`: which images that nothing uses are removed.

use std::time::Duration;

use super::reader::{Entry, Table};

/// A day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long images that nothing uses stay by default.
const UNUSED: Duration = DAY.saturating_mul(30);
/// How many unused images of one repository stay by default.
const KEEP: usize = 1;

/// Which images that nothing uses are removed. Only those that were loaded or fetched through the daemon are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImagesSettings {
    /// How long nothing must have used an image; `None` removes none.
    pub unused: Option<Duration>,
    /// Of the unused images of one repository, so many of the newest stay.
    pub keep: usize,
}

impl ImagesSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let unused = table.take("unused").and_then(read_unused);
        let keep = table.take("keep").and_then(|entry| entry.whole::<u16>(0..=1000));
        table.finish();
        Self {
            unused: unused.unwrap_or(Some(UNUSED)),
            keep: keep.map_or(KEEP, usize::from),
        }
    }
}

fn read_unused(entry: Entry<'_>) -> Option<Option<Duration>> {
    match entry.is_word("never") {
        true => Some(None),
        false => entry.lifespan(Duration::from_secs(60)..=DAY * 3650).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_images_go_after_a_month_unless_it_is_said_otherwise() {
        let read = |text: &str| crate::parse(text, std::iter::empty()).map(|settings| settings.images);
        let images = |unused, keep| ImagesSettings { unused, keep };
        assert_eq!(read("").unwrap(), images(Some(UNUSED), 1));
        assert_eq!(
            read("[images]\nunused = \"7d\"\nkeep = 0").unwrap(),
            images(Some(DAY * 7), 0)
        );
        assert_eq!(read("[images]\nunused = \"never\"").unwrap(), images(None, 1));
        for bad in ["unused = \"0s\"", "unused = 7", "keep = -1"] {
            let faults = read(&format!("[images]\n{bad}")).unwrap_err();
            assert!(faults.iter().all(|fault| fault.key.starts_with("images.")), "{bad}");
        }
    }
}
