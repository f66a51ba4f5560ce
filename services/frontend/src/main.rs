//! The program of the frontend: parse, validate, bind, run, exit code.

use std::process::ExitCode;

use chassis::{listen, process};
use frontend::{Config, FrontendError, run};

fn main() -> ExitCode {
    process::main("frontend", async |config: Config, stop| {
        let listener = listen::bind(config.listen.address).await?;
        run(config, listener, stop).await?;
        Ok::<_, FrontendError>(())
    })
}
