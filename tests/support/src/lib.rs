//! Programs and worlds for tests and measurements: nothing here is part of the product.

pub mod desk;
pub mod fake_broker;
pub mod store;
