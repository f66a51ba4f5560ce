//! Which fields of a message have been read.

/// The fields that a message has so far.
#[derive(Default)]
pub(super) struct Seen {
    first: u128,
    others: Vec<usize>,
}

impl Seen {
    /// Whether it is new.
    pub(super) fn insert(&mut self, index: usize) -> bool {
        let bit = u32::try_from(index)
            .ok()
            .and_then(|index| 1_u128.checked_shl(index));
        let Some(bit) = bit else {
            let is_new = !self.others.contains(&index);
            self.others.push(index);
            return is_new;
        };
        let is_new = self.first & bit == 0;
        self.first |= bit;
        is_new
    }
}
