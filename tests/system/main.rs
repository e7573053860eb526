//! The whole, as its users run it: the real daemon, a real engine, real clients and servers, each test in network
//! namespaces of its own.
//!
//! The tests run side by side, in any order, as root; what they make goes with their lab.

mod admin;
mod advertisement;
mod answering;
mod attack;
mod attempts;
mod backup;
mod callers;
mod class;
mod containers;
mod crash;
mod damage;
mod delegation;
mod disk;
mod dnsmasq;
mod doctor;
mod engine;
mod environment;
mod executable;
mod expiry;
mod flood;
mod full;
mod hands;
mod images;
mod interference;
mod isolation;
mod leader;
mod lease;
mod lost;
mod metadata;
mod names;
mod neighbors;
mod network;
mod networks;
mod oci;
mod origin;
mod pages;
mod podman;
mod portal;
mod ports;
mod promise;
mod reload;
mod reservation;
mod secrets;
mod settings;
mod site;
mod slots;
mod spool;
mod tasks;
mod teardown;
mod template;
mod times;
mod volumes;
mod waiting;
