//! The contract between the proxy and a PHP script, as code: `BINDING.md`.

pub(crate) mod answers;
pub mod frame;
pub mod head;
mod head_decoder;
pub mod route;
pub mod variables;
