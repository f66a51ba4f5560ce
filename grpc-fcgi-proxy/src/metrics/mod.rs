//! The metrics and their names. The modules that observe an event count it here.

pub(crate) mod calls;
pub(crate) mod clients;
pub(crate) mod dialects;
pub(crate) mod exchanges;
mod histogram;
pub(crate) mod increment;
pub(crate) mod load_reports;
pub(crate) mod pool;
pub(crate) mod registry;
pub(crate) mod resident;
pub(crate) mod spans;
pub(crate) mod tls;
