//! Programs and worlds for tests and measurements: nothing here is part of the product.

pub mod conformance;
pub mod desk;
pub mod disk;
pub mod drill;
pub mod fake_broker;
pub mod postgres;
pub mod store;
pub mod torture;
