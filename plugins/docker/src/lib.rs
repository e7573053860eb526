//! Provisions instances as containers of a Docker Engine (or Podman) through its API.
