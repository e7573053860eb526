//! A bucket that drains with time, stored as the time at which it will be empty.

/// When a bucket is empty with one more in it; `None` if it has no room. `empty` is when it would be empty without, `interval`
/// how long one takes to drain, and `capacity` what it holds. All are microseconds.
pub(super) fn fill(empty: i64, now: i64, interval: i64, capacity: i64) -> Option<i64> {
    let filled = empty.saturating_sub(now);
    // A bucket that is more than full was filled before the clock was set back.
    let filled = if (0..=capacity).contains(&filled) { filled } else { 0 };
    let filled = filled.saturating_add(interval);
    (filled <= capacity).then(|| now.saturating_add(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_a_burst_and_then_one_with_each_interval() {
        let mut empty = i64::MIN;
        let mut admitted = |now| {
            let mut count = 0;
            while let Some(filled) = fill(empty, now, 10, 100) {
                empty = filled;
                count += 1;
            }
            count
        };
        assert_eq!(
            [admitted(0), admitted(9), admitted(20), admitted(10_000)],
            [10, 0, 2, 10]
        );
        assert_eq!(admitted(-10_000), 10, "the clock was set back");
    }
}
