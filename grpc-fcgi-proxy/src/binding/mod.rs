//! The contract between the proxy and a PHP script, `BINDING.md` as code: the variables that a script receives, and the
//! meaning of its answer.

pub(crate) mod answers;
pub mod body;
pub(crate) mod call_head;
pub mod dialect;
pub mod dropped;
pub(crate) mod fatal;
mod fields;
pub mod frame;
pub mod head;
pub mod head_decoder;
pub(crate) mod launch;
pub(crate) mod load_report;
pub(crate) mod own_params;
pub mod route;
pub(crate) mod sink;
pub mod tls_variables;
pub mod variables;
