//! The meta-variables of the request that launches a resident worker. BINDING.md, "Launch".

use super::route::Script;
use super::sink::Sink;
use super::variables::Request;

/// The values from which they are derived.
#[derive(Debug)]
pub(crate) struct LaunchVariables<'a> {
    pub(crate) script: &'a Script,
    /// Where the worker connects to.
    pub(crate) address: &'a str,
    pub(crate) secret: &'a [u8],
    /// How many streaming calls it may get at once.
    pub(crate) streams: usize,
    /// The bytes of memory after which it retires.
    pub(crate) max_memory: u64,
}

impl LaunchVariables<'_> {
    /// Writes all variables.
    pub(crate) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let request = Request {
            script: self.script,
            method: "POST",
            uri: "/",
            path: "/",
            query: "",
            protocol: "HTTP/2.0",
            content_type: None,
            content_length: 0,
        };
        request.write(sink)?;
        sink.push(b"GRPC_RESIDENT_ADDRESS", self.address.as_bytes())?;
        sink.push(b"GRPC_RESIDENT_SECRET", self.secret)?;
        sink.push(
            b"GRPC_RESIDENT_STREAMS",
            self.streams.to_string().as_bytes(),
        )?;
        sink.push(
            b"GRPC_RESIDENT_MAX_MEMORY",
            self.max_memory.to_string().as_bytes(),
        )?;
        self.script.own.write(sink)
    }
}
