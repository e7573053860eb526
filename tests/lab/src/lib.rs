//! The lab: namespaces, bridges, engines, databases and real clients for tests, benches and the demo.
//!
//! A [`Lab`] owns what is made in it, and a guard removes all of it however the owner ends. Nothing in it touches
//! the machine's own links, firewall, name servers or engine. It needs root, and the Debian packages that
//! `make deps` installs.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use orchestrator_lab::Lab;
//!
//! let lab = Lab::new()?;
//! let host = lab.namespace("host")?;
//! host.bridge("br0", Some("fd39:9706:2786:6333::1/64"))?;
//! let client = lab.namespace("client")?;
//! client.connect("eth0", &host, "port0", Some("br0"))?;
//! # Ok(())
//! # }
//! ```

mod address;
mod balancer;
mod browser;
mod btrfs;
mod certificate;
mod daemon;
mod dhclient;
mod dhcpcd;
mod dnsmasq;
mod engine;
pub mod http;
mod image;
mod lab;
mod lease;
mod machine;
mod namespace;
mod oci;
mod pages;
mod pebble;
pub mod platform;
mod podman;
mod poll;
mod postgres;
mod program;
mod pty;
mod registry;
mod requests;
mod settings;
pub mod show;
mod tunnel;
mod wire;

pub use address::Address;
pub use balancer::{BALANCER_IMAGE, lay_out_balancer_image};
pub use browser::Browser;
pub use btrfs::Btrfs;
pub use certificate::SelfSigned;
pub use daemon::Daemon;
pub use dhclient::Dhclient;
pub use dhcpcd::Dhcpcd;
pub use dnsmasq::Dnsmasq;
pub use engine::Engine;
pub use image::{TEST_IMAGE, TEST_PORT, image_archive, lay_out_test_image};
pub use lab::Lab;
pub use namespace::Namespace;
pub use oci::{Oci, oci_program};
pub use pages::serve_line;
pub use pebble::Pebble;
pub use poll::{poll, wait_for};
pub use postgres::Postgres;
pub use program::{Program, tail};
pub use pty::Pty;
pub use registry::{REGISTRY_PASSWORD, REGISTRY_USER, Registry, RegistryAuth};
pub use requests::{Requests, Tally};
pub use settings::{Link, PREFIX, Settings};
pub use tunnel::Tunnel;
pub use wire::{Message, Wire};
