//! Packet filters of other programs, and what the kernel can do.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Result, ensure};
use orchestrator_network::FirewallFamily;

use crate::support::{daemon, nft};

fn ip6tables(arguments: &str) -> Result<()> {
    let output = Command::new("ip6tables-nft").args(arguments.split(' ')).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "ip6tables-nft {arguments}: {said}");
    Ok(())
}

#[test]
fn the_policy_that_docker_sets_is_found_with_the_interfaces_of_its_rules() -> Result<()> {
    daemon(|network| async move {
        ensure!(network.dropping_chains().await?.is_empty());
        ip6tables("-A FORWARD -i docker0 -j ACCEPT")?;
        ensure!(
            network.dropping_chains().await?.is_empty(),
            "its policy is still to accept"
        );
        ip6tables("-P FORWARD DROP")?;
        let found = network.dropping_chains().await?;
        ensure!(
            found.len() == 1 && found[0].family == FirewallFamily::Ip6 && found[0].by_policy,
            "{found:?}"
        );
        ensure!(
            found[0].interfaces == BTreeSet::from(["docker0".to_owned()]),
            "{found:?}"
        );
        // A rule in another chain of the table is where an operator puts it.
        ip6tables("-N DOCKER-USER")?;
        ip6tables("-A DOCKER-USER -i br0 -o br0 -j ACCEPT")?;
        ensure!(network.dropping_chains().await?[0].interfaces.contains("br0"));
        Ok(())
    })
}

#[test]
fn a_last_rule_that_rejects_everything_is_found_and_names_in_sets_are_read() -> Result<()> {
    daemon(|network| async move {
        nft("add table inet firewalld")?;
        nft("add chain inet firewalld forward { type filter hook forward priority 10 ; policy accept ; }")?;
        nft("add rule inet firewalld forward iifname { br0, br1 } accept")?;
        ensure!(network.dropping_chains().await?.is_empty());
        nft("add rule inet firewalld forward counter drop")?;
        let found = network.dropping_chains().await?;
        ensure!(found.len() == 1 && !found[0].by_policy, "{found:?}");
        ensure!(
            found[0].interfaces == BTreeSet::from(["br0".to_owned(), "br1".to_owned()]),
            "{found:?}"
        );
        Ok(())
    })
}

#[test]
fn our_own_tables_are_none_of_others_and_are_listed_by_site() -> Result<()> {
    daemon(|network| async move {
        network.filter("0ddba110ddba").await?.ensure(&BTreeSet::new()).await?;
        nft("add table bridge orchestrator-origins-0ddba110ddba")?;
        ensure!(network.dropping_chains().await?.is_empty());
        let tables = network.site_tables().await?;
        ensure!(tables.len() == 3, "{tables:?}");
        ensure!(tables.iter().all(|(_, _, site)| site == "0ddba110ddba"), "{tables:?}");
        Ok(())
    })
}

#[test]
fn a_try_of_the_kernel_leaves_nothing_behind() -> Result<()> {
    daemon(|network| async move {
        let tried = network.try_features().await?;
        tried.bridge?;
        tried.veth?;
        tried.filter?;
        ensure!(nft("list tables")?.is_empty());
        let links = Command::new("ip").args(["-o", "link"]).output()?;
        ensure!(
            String::from_utf8(links.stdout)?.lines().count() == 1,
            "only the loopback interface is there"
        );
        Ok(())
    })
}
