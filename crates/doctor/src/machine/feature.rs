//! What the kernel can do.

use std::path::Path;

use orchestrator_network::{KernelFeatures, NetworkError};
use orchestrator_runtime::causes::with_causes;

use super::{MachineRequest, text};
use crate::{Fact, FeatureFacts, FeatureState};

/// Everything that the daemon needs of the kernel.
pub(super) fn all(
    tried: Result<KernelFeatures, NetworkError>,
    has_overlay: Fact<bool>,
    request: &MachineRequest,
) -> Vec<FeatureFacts> {
    let tried = tried.map_err(|fault| with_causes(&fault));
    let of = |one: fn(&KernelFeatures) -> &Result<(), NetworkError>| match &tried {
        Ok(features) => state(one(features)),
        Err(reason) => FeatureState::Unknown(reason.clone()),
    };
    let mut features = vec![
        feature(
            "bridges",
            "no link or network has a bridge",
            "modprobe bridge; the kernel needs CONFIG_BRIDGE",
            of(|all| &all.bridge),
        ),
        feature(
            "veth pairs",
            "no instance is wired",
            "modprobe veth; the kernel needs CONFIG_VETH",
            of(|all| &all.veth),
        ),
    ];
    if request.has_isolation {
        features.push(feature(
            "the packet filter (nftables with bridge and inet tables, dynamic sets, and NAT)",
            "nothing is checked on links with isolation, and there is no front door",
            "apt install nftables; modprobe nf_tables nft_meta_bridge nft_nat nft_masq; the kernel needs \
             CONFIG_NF_TABLES_BRIDGE, CONFIG_NF_TABLES_INET and CONFIG_NFT_NAT",
            of(|all| &all.filter),
        ));
    }
    if request.needs_overlay {
        features.push(feature(
            "overlayfs",
            "engines of kind oci start no container",
            "modprobe overlay; the kernel needs CONFIG_OVERLAY_FS",
            overlay(has_overlay),
        ));
    }
    features
}

fn feature(name: &str, needed_for: &str, mend: &str, state: FeatureState) -> FeatureFacts {
    FeatureFacts {
        name: name.to_owned(),
        needed_for: needed_for.to_owned(),
        state,
        mend: mend.to_owned(),
    }
}

fn state(tried: &Result<(), NetworkError>) -> FeatureState {
    match tried {
        Ok(()) => FeatureState::There,
        Err(fault @ (NetworkError::NotPermitted { .. } | NetworkError::TimedOut { .. } | NetworkError::Open(_))) => {
            FeatureState::Unknown(with_causes(fault))
        }
        Err(fault) => FeatureState::Missing(with_causes(fault)),
    }
}

fn overlay(has_overlay: Fact<bool>) -> FeatureState {
    match has_overlay {
        Ok(true) => FeatureState::There,
        Ok(false) => FeatureState::Missing("/proc/filesystems has no overlay".to_owned()),
        Err(reason) => FeatureState::Unknown(reason),
    }
}

/// Whether the kernel has overlayfs now. A module that is not loaded yet is loaded by the first mount, so that only a
/// kernel whose modules can be listed is known to lack it.
pub(super) fn has_overlay(root: &Path) -> Fact<bool> {
    let has = |text: &str| {
        text.lines()
            .any(|line| line.split_whitespace().next_back() == Some("overlay"))
    };
    if has(&text(root, "proc/filesystems")?) {
        return Ok(true);
    }
    let release = text(root, "proc/sys/kernel/osrelease")?;
    let modules = text(root, &format!("lib/modules/{}/modules.dep", release.trim()))?;
    Ok(modules.lines().any(|line| line.contains("/overlay.ko")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlayfs_is_there_or_a_module_or_missing() {
        let list = ("proc/filesystems", "nodev\tsysfs\n\text4\n");
        let release = ("proc/sys/kernel/osrelease", "6.1.0\n");
        let cases = [
            (vec![("proc/filesystems", "\text4\nnodev\toverlay\n")], Ok(true)),
            (
                vec![
                    list,
                    release,
                    ("lib/modules/6.1.0/modules.dep", "kernel/fs/overlayfs/overlay.ko:\n"),
                ],
                Ok(true),
            ),
            (
                vec![list, release, ("lib/modules/6.1.0/modules.dep", "kernel/fs/ext4.ko:\n")],
                Ok(false),
            ),
        ];
        for (number, (files, expected)) in cases.iter().enumerate() {
            let root = super::super::tree(&format!("overlay-{number}"), files);
            assert_eq!(has_overlay(&root), *expected, "{files:?}");
            std::fs::remove_dir_all(root).unwrap();
        }
        let root = super::super::tree("overlay-unknown", &[list, release]);
        assert!(has_overlay(&root).is_err(), "a kernel whose modules are not listed");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_refusal_for_want_of_privilege_is_no_missing_feature() {
        let refused = || NetworkError::NotPermitted {
            doing: "making a bridge".to_owned(),
        };
        let missing = NetworkError::Refused {
            doing: "making a veth pair".to_owned(),
            source: std::io::Error::from_raw_os_error(95),
        };
        let tried = KernelFeatures {
            bridge: Err(refused()),
            veth: Err(missing),
            filter: Ok(()),
        };
        let request = MachineRequest {
            has_isolation: true,
            ..MachineRequest::default()
        };
        let found = all(Ok(tried), Ok(false), &request);
        let states: Vec<_> = found.iter().map(|feature| &feature.state).collect();
        assert!(
            matches!(
                states[..],
                [FeatureState::Unknown(_), FeatureState::Missing(_), FeatureState::There]
            ),
            "{states:?}"
        );
        assert!(
            all(Err(refused()), Ok(false), &request)
                .iter()
                .all(|one| matches!(one.state, FeatureState::Unknown(_)))
        );
    }
}
