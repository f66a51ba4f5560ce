//! The program of the user service: parse, validate, bind, run, exit code.

use std::process::ExitCode;

use chassis::{process, service::ServiceError};
use user::{Config, run};

fn main() -> ExitCode {
    process::main("user", async |config: Config, stop| {
        let listeners = config.flags.bind().await?;
        run(config, listeners, stop).await?;
        Ok::<_, ServiceError>(())
    })
}
