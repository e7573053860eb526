//! The examination of a machine, and the comparison and repair of its packet filter.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Result, ensure};
use orchestrator_doctor::Fix;
use orchestrator_host::{
    Applied, ClientBinding, ExamineRequest, Host, LinkPolicy, NetworkChange, NetworkItem, NetworkPart, PolicyItem,
    PortRole,
};
use orchestrator_plugin::Capability;

use crate::lab::{SITE, daemon};

fn nft(arguments: &[&str]) -> Result<()> {
    let output = Command::new("nft").args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "nft {arguments:?}: {said}");
    Ok(())
}

fn items() -> Result<Vec<PolicyItem>> {
    let prefix: ipnet::Ipv6Net = "fd39::/64".parse()?;
    Ok(vec![
        PolicyItem::Link(LinkPolicy {
            bridge: "br0".to_owned(),
            prefix,
            others: PortRole::Client,
            unbound: false,
            clients_together: true,
            ipv4: false,
            enforce: true,
        }),
        PolicyItem::Client(ClientBinding {
            bridge: "br0".to_owned(),
            port: None,
            mac: [2, 0, 0, 0, 0, 0xc1],
            prefix: "fd39::c1/128".parse()?,
        }),
    ])
}

async fn apply(host: &impl Host, from: u64, to: u64, items: &[PolicyItem]) -> Result<Applied> {
    let whole = NetworkChange::Whole(items.iter().cloned().map(NetworkItem::Policy).collect());
    Ok(host.apply(&NetworkPart::Policy, from, to, &whole).await?)
}

#[test]
fn the_packet_filter_is_compared_and_restored() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let (host, items) = (&lab.host, items()?);
        let before = host.compare_policy(&items).await?;
        ensure!(!before.is_loaded && before.wanted > Some(0), "{before:?}");
        ensure!(host.mend(&Fix::Rules).await?.is_empty(), "nothing was applied yet");
        apply(host, 0, 1, &items).await?;
        let applied = host.compare_policy(&items).await?;
        ensure!(
            applied.is_loaded && (applied.missing, applied.surplus) == (0, 0),
            "{applied:?}"
        );
        let more = host.compare_policy(&items[..1]).await?;
        ensure!(
            more.missing == 0 && more.surplus > 0,
            "a client that is not recorded: {more:?}"
        );

        let table = format!("orchestrator-{SITE}");
        nft(&["flush", "set", "bridge", &table, "o_cli"])?;
        let flushed = host.compare_policy(&items).await?;
        ensure!(flushed.is_loaded && flushed.missing > 0, "{flushed:?}");
        ensure!(host.mend(&Fix::Rules).await?.len() == 1);
        nft(&["delete", "table", "bridge", &table])?;
        ensure!(!host.compare_policy(&items).await?.is_loaded);
        let done = host.mend(&Fix::Rules).await?;
        ensure!(done.len() == 1 && done[0].starts_with("loaded the rules"), "{done:?}");
        let mended = host.compare_policy(&items).await?;
        ensure!(
            mended.is_loaded && (mended.missing, mended.surplus) == (0, 0),
            "{mended:?}"
        );
        ensure!(host.mend(&Fix::Rules).await?.is_empty(), "all is right");
        // What was repaired is compared as a whole the next time.
        let nothing = NetworkChange::Difference {
            set: Vec::new(),
            remove: Vec::new(),
        };
        let next = host.apply(&NetworkPart::Policy, 1, 2, &nothing).await?;
        ensure!(matches!(next, Applied::NeedsWhole { .. }), "{next:?}");
        Ok(())
    })
}

#[test]
fn a_machine_is_examined_with_its_engines() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let request = ExamineRequest {
            engines: BTreeMap::from([
                ("threads".to_owned(), Default::default()),
                ("nobody".to_owned(), Default::default()),
            ]),
            ..ExamineRequest::default()
        };
        let found = lab.host.examine(&request).await?;
        let machine = found.machine.map_err(anyhow::Error::msg)?;
        ensure!(
            machine.forwarding.is_ok() && machine.process.memory.is_ok(),
            "{machine:?}"
        );
        ensure!(
            machine.firewall.chains == Ok(Vec::new()) && machine.abandoned == Ok(Vec::new()),
            "{machine:?}"
        );
        let answers: BTreeMap<&str, bool> = (found.engines.iter())
            .map(|engine| (engine.name.as_str(), engine.product.is_ok()))
            .collect();
        ensure!(
            answers == BTreeMap::from([("nobody", false), ("threads", true)]),
            "{answers:?}"
        );
        Ok(())
    })
}
