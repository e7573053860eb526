//! Pages of lists.

use serde::{Deserialize, Serialize};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items of the page, in the list's order.
    pub items: Vec<T>,
    /// The cursor of the next page, an opaque text; `None` on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of at most `limit` items from a list that may have one more. `cursor` returns the position after an
    /// item.
    pub fn new(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_more_than_asked_makes_a_cursor() {
        let page = Page::new(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!(
            page,
            Page {
                items: vec![1, 2],
                next: Some("2".to_owned())
            }
        );
        assert_eq!(Page::new(vec![1, 2], 2, ToString::to_string).next, None);
    }
}
