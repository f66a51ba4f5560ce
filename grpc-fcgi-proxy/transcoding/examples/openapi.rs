//! Prints the OpenAPI document of the paths in descriptor sets: `openapi DESCRIPTOR_SET...`.

use std::error::Error;
use std::io::Write;
use std::{env, fs, io};

use transcoding::json::Unknown;
use transcoding::rest::Routes;
use transcoding::{Schema, openapi};

fn main() -> Result<(), Box<dyn Error>> {
    let sets: io::Result<Vec<_>> = env::args_os().skip(1).map(fs::read).collect();
    let sets = sets?;
    let schema = Schema::read(sets.iter().map(Vec::as_slice))?;
    let routes = Routes::of(&schema)?;
    let document = openapi::document(&schema, &routes, Unknown::Refuse, "Methods", "1");
    io::stdout().write_all(&document)?;
    Ok(())
}
