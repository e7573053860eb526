//! Other programs' packet filters.

use std::path::Path;

use orchestrator_network::DroppingChain;

use super::text;
use crate::{Fact, ForwardChain};

/// The chains as facts.
pub(super) fn chains(found: Fact<Vec<DroppingChain>>) -> Fact<Vec<ForwardChain>> {
    let fact = |chain: DroppingChain| ForwardChain {
        family: chain.family.word().to_owned(),
        table: chain.table,
        chain: chain.chain,
        by_policy: chain.by_policy,
        interfaces: chain.interfaces,
    };
    Ok(found?.into_iter().map(fact).collect())
}

/// Whether bridged packets pass the filters of routed ones; `None` if the kernel has no such setting.
pub(super) fn bridged(root: &Path) -> Fact<Option<bool>> {
    const SETTING: &str = "proc/sys/net/bridge/bridge-nf-call-ip6tables";
    match root.join(SETTING).exists() {
        true => super::flag(root, SETTING).map(Some),
        false => Ok(None),
    }
}

/// The tables of `ip6tables-legacy`; none if the kernel has no list of them.
pub(super) fn legacy(root: &Path) -> Fact<Vec<String>> {
    const TABLES: &str = "proc/net/ip6_tables_names";
    match root.join(TABLES).exists() {
        true => Ok(text(root, TABLES)?.split_whitespace().map(str::to_owned).collect()),
        false => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_bridge_filters_passes_nothing_to_them() {
        let root = super::super::tree("firewall", &[("proc/net/ip6_tables_names", "mangle\nfilter\n")]);
        assert_eq!(bridged(&root), Ok(None));
        assert_eq!(legacy(&root), Ok(vec!["mangle".to_owned(), "filter".to_owned()]));
        std::fs::remove_dir_all(root).unwrap();
    }
}
