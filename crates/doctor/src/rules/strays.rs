//! What bears our mark and is recorded nowhere.

use crate::{AbandonedSite, Area, Code, Examined, Facts, Finding, Fix, Stray};

const AREA: Area = Area::Strays;

pub(super) fn examine(facts: &Facts) -> Examined {
    let abandoned = facts.machine.as_ref().and_then(|machine| machine.abandoned.as_ref());
    let mut examined = match &facts.marks {
        Ok(marks) => {
            let strays = marks.strays.iter().map(|one| stray(one, &marks.strays));
            let examined = Examined::new(AREA, "all that bears our mark was compared").with(strays);
            marks
                .unlisted
                .iter()
                .fold(examined, |examined, reason| examined.lacking(reason))
        }
        Err(reason) => Examined::new(AREA, "").lacking(reason),
    };
    examined = match abandoned {
        Ok(sites) => examined.with(sites.iter().map(abandoned_site)),
        Err(reason) => examined.lacking(reason),
    };
    examined
}

fn stray(stray: &Stray, all: &[Stray]) -> Finding {
    match stray {
        Stray::Container { engine, instance, runs } => container(engine, instance, *runs),
        Stray::Interface { name, instance } => interface(name, instance.as_deref(), all),
        Stray::Volume { id } => volume(id),
    }
}

fn container(engine: &str, instance: &str, runs: bool) -> Finding {
    let state = if runs { "runs" } else { "does not run" };
    Finding::warning(AREA, Code::StrayContainer)
        .what(format!("instance {instance} is on engine {engine}, {state}, and is not in the database"))
        .means(
            "it was made from a database that was lost or is older now; it takes memory and counts against no limit; if \
             its client asks for an instance, it is adopted",
        )
        .mend(format!("orchestrator rm --orphans {instance}"))
        .fix(Fix::StrayContainer {
            instance: instance.to_owned(),
        })
}

fn interface(name: &str, instance: Option<&str>, all: &[Stray]) -> Finding {
    let finding = Finding::warning(AREA, Code::StrayInterface)
        .means("it takes one of the ports of its bridge, and whatever is behind it is on the clients' network")
        .mend(format!("ip link del {name}"));
    let Some(instance) = instance else {
        return finding
            .what(format!("interface {name} bears our mark and names no instance"))
            .fix(Fix::StrayInterface {
                interface: name.to_owned(),
            });
    };
    let finding = finding.what(format!(
        "interface {name} is of instance {instance}, which is not in the database"
    ));
    let of_container = |stray: &Stray| matches!(stray, Stray::Container { instance: other, .. } if other == instance);
    match all.iter().any(of_container) {
        // It goes with the container.
        true => finding.fix(Fix::StrayContainer {
            instance: instance.to_owned(),
        }),
        false => finding.fix(Fix::StrayInterface {
            interface: name.to_owned(),
        }),
    }
}

fn volume(id: &str) -> Finding {
    Finding::warning(AREA, Code::StrayVolume)
        .what(format!("volume {id} is on the disk, and not in the database"))
        .means("it takes room, and nobody will use it again; it may be all that is left of somebody's files")
        .mend("look into it, and remove its directory below volumes.directory if nobody wants it")
}

fn abandoned_site(site: &AbandonedSite) -> Finding {
    let AbandonedSite {
        site: name,
        mark,
        routes,
        tables,
        interfaces,
    } = site;
    let named = name.as_ref().map(|name| format!("site {name} (mark {mark})"));
    let named = named.unwrap_or_else(|| format!("a site of mark {mark}"));
    let mut mends = Vec::new();
    if *routes > 0 {
        mends.push(format!("orchestrator routes --remove {mark}"));
    }
    mends.extend(tables.iter().map(|table| format!("nft delete table {table}")));
    mends.extend(interfaces.iter().take(3).map(|name| format!("ip link del {name}")));
    Finding::warning(AREA, Code::AbandonedSite)
        .what(format!(
            "{named} left {routes} routes, {} tables and {} interfaces here, and no daemon of it runs",
            tables.len(),
            interfaces.len()
        ))
        .means("if its database and identity are gone, nobody will remove them; if its daemon is only stopped, it needs them")
        .mend(format!("only if that site is gone: {}", mends.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(strays: Vec<Stray>) -> Vec<Finding> {
        let mut facts = Facts::healthy();
        facts.marks.as_mut().unwrap().strays = strays;
        examine(&facts).findings
    }

    fn container_of(instance: &str) -> Stray {
        Stray::Container {
            engine: "docker".to_owned(),
            instance: instance.to_owned(),
            runs: true,
        }
    }

    fn interface_of(instance: Option<&str>) -> Stray {
        Stray::Interface {
            name: "or1".to_owned(),
            instance: instance.map(str::to_owned),
        }
    }

    #[test]
    fn an_interface_goes_with_its_container_or_alone() {
        let with = found(vec![container_of("a"), interface_of(Some("a"))]);
        let removal = Some(Fix::StrayContainer {
            instance: "a".to_owned(),
        });
        assert_eq!((&with[0].fix, &with[1].fix), (&removal, &removal));
        for instance in [None, Some("b")] {
            let alone = found(vec![container_of("a"), interface_of(instance)]);
            let removal = Fix::StrayInterface {
                interface: "or1".to_owned(),
            };
            assert_eq!(alone[1].fix, Some(removal));
        }
    }

    #[test]
    fn a_volume_is_never_removed_by_itself() {
        assert_eq!(found(vec![Stray::Volume { id: "v".to_owned() }])[0].fix, None);
    }

    #[test]
    fn an_abandoned_site_is_named_with_what_removes_it() {
        let mut facts = Facts::healthy();
        facts.machine_mut().abandoned = Ok(vec![AbandonedSite {
            site: Some("c0ffee".to_owned()),
            mark: 7,
            routes: 2,
            tables: vec!["bridge orchestrator-c0ffee".to_owned()],
            interfaces: vec!["or9".to_owned()],
        }]);
        let found = examine(&facts).findings.remove(0);
        for command in [
            "routes --remove 7",
            "nft delete table bridge orchestrator-c0ffee",
            "ip link del or9",
        ] {
            assert!(found.mend.contains(command), "{}", found.mend);
        }
        assert_eq!(found.fix, None);
    }
}
