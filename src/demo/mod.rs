//! The demonstration: three paper accounts trade on a real recorded day, and one sees it happen.

pub mod feed;
pub mod signals;
pub mod summary;
