//! dnsmasq with its lease file.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::preload;
use crate::stage::{BRIDGE, POOL_FIRST, POOL_LAST, Stage};

pub(super) fn command(stage: &Stage, place: &Path, bindings: u32) -> Result<Command> {
    let leases = place.join("leases");
    if bindings > 0 {
        preload::dnsmasq(&leases, bindings)?;
    }
    let mut command = stage.servers.command("dnsmasq");
    command.args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--port=0",
        "--bind-interfaces",
        "--dhcp-authoritative",
        "--quiet-dhcp6",
        "--dhcp-lease-max=2000000",
        "--log-facility=/dev/null",
    ]);
    command.arg(format!("--interface={BRIDGE}"));
    command.arg(format!("--dhcp-range={POOL_FIRST},{POOL_LAST},64,1h"));
    command.arg(format!("--pid-file={}", place.join("pid").display()));
    command.arg(format!("--dhcp-leasefile={}", leases.display()));
    Ok(command)
}
