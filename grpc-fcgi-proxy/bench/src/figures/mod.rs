//! What was measured.

mod spread;

pub(crate) use self::spread::Spread;
