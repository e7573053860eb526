//! The findings for people.

use orchestrator_api_types::{AreaState, Doctor, ExaminedArea, Finding, Mended, Severity};

/// The width of the column of the severity, and of the words below it.
const WIDTH: usize = 8;

/// What was done, what is wrong, and with `verbose` every area in which nothing is; a sum at the end.
pub(super) fn render(doctor: &Doctor, verbose: bool, is_fixed: bool) -> String {
    let mut lines: Vec<String> = doctor.done.iter().map(mended).collect();
    if is_fixed && doctor.done.is_empty() {
        lines.push("nothing was mended: nothing was found that can be mended safely".to_owned());
    }
    lines.extend(doctor.findings.iter().map(|one| finding(one, is_fixed)));
    let others = doctor.areas.iter().filter(|area| area.state != AreaState::Wrong);
    lines.extend(others.clone().filter(|_| verbose).map(area));
    let unknown = others.filter(|area| area.state == AreaState::Unknown).count();
    lines.push(sum(doctor, unknown, verbose));
    lines.join("\n")
}

fn mended(mended: &Mended) -> String {
    let Mended { what, failed } = mended;
    match failed {
        None => format!("{:WIDTH$} {what}", "done"),
        Some(reason) => format!("{:WIDTH$} {what}: {reason}", "failed"),
    }
}

fn finding(finding: &Finding, is_fixed: bool) -> String {
    let Finding {
        code,
        severity,
        what,
        means,
        mend,
        fixable,
        ..
    } = finding;
    let blank = "";
    let mut text =
        format!("{severity:WIDTH$} {code}: {what}\n{blank:WIDTH$} means: {means}\n{blank:WIDTH$} mend:  {mend}");
    if *fixable && !is_fixed {
        text.push_str(&format!(
            "\n{blank:WIDTH$} fix:   orchestrator doctor --fix does what is safe"
        ));
    }
    text
}

fn area(area: &ExaminedArea) -> String {
    let word = match area.state {
        AreaState::Healthy => "ok",
        AreaState::Wrong | AreaState::Unknown => "unknown",
    };
    format!("{word:WIDTH$} {}: {}", area.area, area.seen)
}

fn sum(doctor: &Doctor, unknown: usize, verbose: bool) -> String {
    let count = |severity| doctor.findings.iter().filter(|one| one.severity == severity).count();
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let mut sum = format!(
        "{}, {} in {}",
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
        plural(doctor.areas.len(), "area")
    );
    if unknown > 0 {
        let how = if verbose { "" } else { "; --verbose says why" };
        sum.push_str(&format!(" ({unknown} not examined, or in part{how})"));
    }
    sum
}

#[cfg(test)]
mod tests {
    use orchestrator_api_types::DaemonState;

    use super::*;

    fn found() -> Doctor {
        let area = |area: &str, state, seen: &str| ExaminedArea {
            area: area.to_owned(),
            state,
            seen: seen.to_owned(),
        };
        Doctor {
            daemon: DaemonState::Running,
            findings: vec![Finding {
                code: "forwarding-off".to_owned(),
                severity: Severity::Error,
                area: "forwarding".to_owned(),
                what: "this machine forwards no IPv6 packets".to_owned(),
                means: "clients cannot use their prefixes".to_owned(),
                mend: "sysctl -w net.ipv6.conf.all.forwarding=1".to_owned(),
                fixable: true,
            }],
            areas: vec![
                area("daemon", AreaState::Healthy, "it runs"),
                area("forwarding", AreaState::Wrong, ""),
                area("clock", AreaState::Unknown, "not examined: not permitted"),
            ],
            done: Vec::new(),
        }
    }

    #[test]
    fn a_finding_says_what_it_means_and_what_mends_it() {
        assert_eq!(
            render(&found(), false, false),
            "\
error    forwarding-off: this machine forwards no IPv6 packets
         means: clients cannot use their prefixes
         mend:  sysctl -w net.ipv6.conf.all.forwarding=1
         fix:   orchestrator doctor --fix does what is safe
1 error, 0 warnings in 3 areas (1 not examined, or in part; --verbose says why)"
        );
    }

    #[test]
    fn verbose_has_a_line_for_each_area_in_which_nothing_is_wrong() {
        let text = render(&found(), true, false);
        assert!(text.contains("\nok       daemon: it runs\n"), "{text}");
        assert!(
            text.contains("\nunknown  clock: not examined: not permitted\n"),
            "{text}"
        );
        assert!(!text.contains("forwarding: \n"), "{text}");
    }

    #[test]
    fn what_was_done_comes_first() {
        let mut doctor = found();
        doctor.findings.clear();
        let mended = |what: &str, failed: Option<&str>| Mended {
            what: what.to_owned(),
            failed: failed.map(str::to_owned),
        };
        doctor.done = vec![mended("set it", None), mended("remove it", Some("it is busy"))];
        let text = render(&doctor, false, true);
        assert!(
            text.starts_with("done     set it\nfailed   remove it: it is busy\n0 errors"),
            "{text}"
        );
        doctor.done.clear();
        assert!(render(&doctor, false, true).starts_with("nothing was mended"));
    }
}
