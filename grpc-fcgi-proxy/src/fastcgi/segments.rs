//! A queue of bytes to write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Copying a piece of up to this length costs less than queueing it separately.
const MAX_COPIED: usize = 1024;

/// Pieces in order. Small ones are copied together, large ones are kept as they are.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Precedes the pieces.
    copied: Vec<u8>,
    /// How many bytes of `copied` have been written.
    gone: usize,
    pieces: VecDeque<Bytes>,
    remaining: usize,
}

impl From<Vec<u8>> for Segments {
    fn from(copied: Vec<u8>) -> Self {
        Self {
            remaining: copied.len(),
            copied,
            ..Self::default()
        }
    }
}

impl Segments {
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.copies(piece.len()) {
            self.copy(&piece);
        } else {
            self.remaining += piece.len();
            self.pieces.push_back(piece);
        }
    }

    pub(crate) fn push_slice(&mut self, piece: &[u8]) {
        if self.copies(piece.len()) {
            self.copy(piece);
        } else {
            self.remaining += piece.len();
            self.pieces.push_back(Bytes::copy_from_slice(piece));
        }
    }

    fn copies(&self, length: usize) -> bool {
        self.pieces.is_empty() && length <= MAX_COPIED
    }

    fn copy(&mut self, piece: &[u8]) {
        self.remaining += piece.len();
        self.copied.extend_from_slice(piece);
    }
}

impl Buf for Segments {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        match &self.copied[self.gone..] {
            [] => self.pieces.front().map_or(&[], |piece| piece.as_ref()),
            copied => copied,
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let copied = Some(&self.copied[self.gone..]).filter(|copied| !copied.is_empty());
        let pieces = self.pieces.iter().map(AsRef::as_ref);
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(copied.into_iter().chain(pieces)) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        self.remaining -= count;
        let copied = count.min(self.copied.len() - self.gone);
        self.gone += copied;
        count -= copied;
        if self.gone == self.copied.len() {
            self.copied.clear();
            self.gone = 0;
        }
        while let Some(front) = self.pieces.front_mut() {
            if front.len() > count {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All bytes, taken in steps of the given length, vectored and plain.
    fn taken(mut segments: Segments, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while segments.has_remaining() {
            let count = step.min(segments.remaining());
            let mut slices = [IoSlice::new(&[]); 4];
            let used = segments.chunks_vectored(&mut slices);
            let joined: Vec<u8> = slices[..used]
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect();
            assert!(joined.starts_with(segments.chunk()) && !segments.chunk().is_empty());
            let count = count.min(joined.len());
            all.extend_from_slice(&joined[..count]);
            segments.advance(count);
        }
        all
    }

    #[test]
    fn pieces_stay_in_order_however_they_are_taken() {
        let large = Bytes::from(vec![b'L'; MAX_COPIED + 1]);
        for step in [1, 7, MAX_COPIED, 10 * MAX_COPIED] {
            let mut segments = Segments::from(b"opening".to_vec());
            segments.push_slice(b"-head-");
            segments.push(large.clone());
            segments.push_slice(b"-tail-");
            segments.push(Bytes::from_static(b"end"));
            let expected = [b"opening-head-", &large[..], b"-tail-end"].concat();
            assert_eq!(taken(segments, step), expected, "in steps of {step}");
        }
    }

    #[test]
    fn every_small_request_is_one_piece() {
        let mut segments = Segments::default();
        for _ in 0..3 {
            segments.push_slice(b"header");
            segments.push(Bytes::from_static(b"message"));
            assert_eq!(segments.chunk(), b"headermessage");
            segments.advance(13);
            assert_eq!((segments.remaining(), segments.chunk()), (0, &b""[..]));
        }
    }
}
