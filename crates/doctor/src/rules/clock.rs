//! The wall clock: times are shown by it, and other machines compare with theirs.

use crate::{Area, Code, Examined, Facts, Finding};

const AREA: Area = Area::Clock;
/// A wall clock that is further off than this was set, not slewed. In milliseconds.
const STEP: u64 = 5_000;

pub(super) fn examine(facts: &Facts) -> Examined {
    let offset = facts.daemon.clock_offset;
    let seen = match offset {
        Some(offset) => format!("{offset} ms from the daemon's own"),
        None => String::new(),
    };
    let examined = Examined::new(AREA, seen).with(stepped(offset));
    match facts.machine.as_ref().and_then(|machine| machine.clock.as_ref()) {
        Ok(synchronised) => examined.with(unsynchronised(*synchronised)),
        Err(reason) => examined.lacking(reason),
    }
}

fn stepped(offset: Option<i64>) -> Option<Finding> {
    let offset = offset.filter(|offset| offset.unsigned_abs() > STEP)?;
    let way = if offset > 0 { "forward" } else { "back" };
    let finding = Finding::warning(AREA, Code::ClockStepped)
        .what(format!(
            "the wall clock was set {way} by {} s while the daemon ran",
            offset.unsigned_abs() / 1000
        ))
        .means(
            "leases keep the lifetimes that clients were promised; times that the daemon shows and records are off by \
             as much until it is restarted",
        )
        .mend("systemctl restart orchestrator; instances go on running");
    Some(finding)
}

fn unsynchronised(synchronised: bool) -> Option<Finding> {
    if synchronised {
        return None;
    }
    Some(
        Finding::warning(AREA, Code::ClockUnsynchronised)
            .what("nothing keeps the clock of this machine right")
            .means("times of events and certificates drift from those of other machines")
            .mend("run a time service: apt install systemd-timesyncd, or chrony; timedatectl shows it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_found_in_both_directions() {
        for (offset, way) in [(60_000, "forward by 60 s"), (-7_000, "back by 7 s")] {
            assert!(stepped(Some(offset)).unwrap().what.contains(way));
        }
        for offset in [None, Some(0), Some(5_000), Some(-5_000)] {
            assert_eq!(stepped(offset), None);
        }
        assert!(stepped(Some(i64::MIN)).is_some());
    }

    #[test]
    fn a_clock_that_nothing_keeps_is_a_warning() {
        let mut facts = Facts::healthy();
        facts.machine_mut().clock = Ok(false);
        assert_eq!(examine(&facts).findings[0].code, Code::ClockUnsynchronised);
    }
}
