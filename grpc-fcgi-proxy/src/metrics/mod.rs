//! Metric names and what they count. Where and when something is counted is the business of the counting module.

pub(crate) mod calls;
pub(crate) mod clients;
pub(crate) mod exchanges;
mod histogram;
pub(crate) mod increment;
pub(crate) mod pool;
pub(crate) mod registry;
