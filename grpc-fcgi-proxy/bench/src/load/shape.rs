//! How many calls run at once.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Context, ensure};

/// Connections, and the calls that run at once on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    pub(crate) streams: usize,
}

impl Shape {
    /// The shape that most marks are about.
    pub(crate) const USUAL: Self = Self::new(8, 8);
    /// One call at a time.
    pub(crate) const SINGLE: Self = Self::new(1, 1);

    pub(crate) const fn new(connections: usize, streams: usize) -> Self {
        Self {
            connections,
            streams,
        }
    }

    pub(crate) const fn calls(self) -> usize {
        self.connections * self.streams
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.connections, self.streams)
    }
}

impl FromStr for Shape {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (connections, streams) = text
            .split_once('x')
            .context("a shape is CONNECTIONSxSTREAMS")?;
        let shape = Self::new(connections.parse()?, streams.parse()?);
        ensure!(
            shape.calls() > 0,
            "a shape has at least one connection and one stream"
        );
        Ok(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_without_calls_is_refused() {
        assert_eq!("8x2".parse::<Shape>().unwrap(), Shape::new(8, 2));
        assert!("0x1".parse::<Shape>().is_err());
    }
}
