//! The files that are written.

use std::time::Duration;

use orchestrator_balancer::{Challenge, Layout, Pools, Statistics, plan, write_files};
use orchestrator_model::EndpointState::{Draining, Serving};

use crate::fixture::{certificate_for, encrypted, endpoints, service};

fn text(files: &orchestrator_balancer::Files, name: &str) -> String {
    String::from_utf8(files.contents()[name].clone()).unwrap()
}

#[test]
fn the_files_are_these() {
    let mut layout = Layout::new("/run/balancer/").unwrap();
    layout.statistics = Some(Statistics {
        address: "[::]:8404".parse().unwrap(),
        from: vec![("fd39::".parse().unwrap(), 64), ("::1".parse().unwrap(), 128)],
    });
    layout.drain = Duration::from_secs(30);
    let mut sticky = encrypted(service(&[("shop.example", "/")], &[(3, Serving)]));
    sticky.sticky = true;
    sticky.proxy_protocol = true;
    let web = service(
        &[("web.example", "/"), ("*.web.example", "/api")],
        &[(1, Serving), (2, Draining)],
    );
    let mut material = certificate_for(&["shop.example"]);
    material
        .challenges
        .insert(Challenge::new("token-1", "token-1.print").unwrap());
    let plan = plan(&endpoints(&[("web", web), ("shop", sticky)]), &material, Pools::new(2));
    let files = write_files(&layout, &plan.desired);
    let golden = include_str!("haproxy.cfg").replace("FRAME", files.frame());
    let written = text(&files, "haproxy.cfg");
    assert_eq!(written, golden, "\n{written}");
    assert_eq!(
        text(&files, "plain.map"),
        "*.web.example/api/ spread-0\nshop.example/ redirect\nweb.example/ spread-0\n"
    );
    assert_eq!(text(&files, "encrypted.map"), "shop.example/ sticky-0\n");
    assert_eq!(
        text(&files, "challenges.map"),
        "/.well-known/acme-challenge/token-1 token-1.print\n"
    );
    let name = plan.desired.certificates.keys().next().unwrap();
    assert_eq!(
        text(&files, "certificates.list"),
        format!("/run/balancer/certificates/{name}.pem [alpn h2,http/1.1] shop.example\n")
    );
    assert!(text(&files, &name.file()).starts_with("-----BEGIN CERTIFICATE-----\n"));
}

#[test]
fn the_frame_changes_with_what_cannot_change_while_it_runs_and_with_nothing_else() {
    let layout = Layout::new("/run/balancer").unwrap();
    let frame = |layout: &Layout, spare| {
        write_files(
            layout,
            &plan(&endpoints(&[]), &certificate_for(&[]), Pools::new(spare)).desired,
        )
        .frame()
        .to_owned()
    };
    assert_eq!(frame(&layout, 1), frame(&layout, 9));
    let mut other = layout.clone();
    other.connections += 1;
    assert_ne!(frame(&layout, 1), frame(&other, 1));
}
