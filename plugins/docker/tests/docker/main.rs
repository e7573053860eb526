//! The docker plugin against a real engine: one for all tests, and one each for those that stop it.

mod boundaries;
mod committed;
mod conformance;
mod files;
mod gate;
mod hands;
mod late;
mod lifecycle;
mod limits;
mod logs;
mod meter;
mod moved_image;
mod outages;
mod podman;
mod renamed;
mod requests;
mod sessions;
mod support;
mod versions;
