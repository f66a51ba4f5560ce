//! The program of the order service: parse, validate, bind, run, exit code.

use std::process::ExitCode;

use chassis::{process, service::ServiceError};
use order::{Config, run};

fn main() -> ExitCode {
    process::main("order", async |config: Config, stop| {
        let listeners = config.flags.bind().await?;
        run(config, listeners, stop).await?;
        Ok::<_, ServiceError>(())
    })
}
