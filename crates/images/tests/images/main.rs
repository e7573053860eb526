//! The store, on a real file system. The tests run as root, as the engine's helper does: they make devices and set
//! attributes of the overlay.

mod hostile;
mod layers;
mod lifecycle;
mod load;
mod model;
mod onto;
mod support;
