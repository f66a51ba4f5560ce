//! The calls that wait for their turn, in their order: for a place at a php-fpm, or for a resident worker.
//!
//! Connections take turns, each of several calls: first the first calls of all connections, in the order of arrival, then
//! their next ones, and so on. So a connection with a thousand waiting calls delays another one's call by one turn.

use std::collections::BTreeMap;

use crate::share::{Holding, Holdings};

/// The calls of one connection stay together as far as is fair: they share a thread, and the writes of one turn of it.
pub(crate) const CALLS_IN_TURN: usize = 16;

/// What a call waits for. Streaming calls may use only some of what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Unary,
    Stream,
}

/// Why a call does not wait, or waits no longer. Nothing of it has reached the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("too many concurrent streaming calls")]
    TooManyStreams,
    #[error("too many concurrent streaming calls on one connection")]
    TooManyStreamsOfClient,
    #[error("too many calls are waiting for the application")]
    TooManyWaiting,
    #[error("no application worker became free in time")]
    WaitTooLong,
}

impl QueueError {
    /// A streaming call that may not run now, although those of other connections might.
    pub(crate) fn of_stream(others_have_room: bool) -> Self {
        if others_have_room {
            Self::TooManyStreamsOfClient
        } else {
            Self::TooManyStreams
        }
    }
}

/// The place of a call in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    turn: usize,
    number: u64,
}

/// A waiting call, and how it learns that its turn has come.
#[derive(Debug)]
pub(crate) struct WaitingCall<T> {
    pub(crate) call: T,
    pub(crate) client: Holdings,
    _held: Holding,
}

/// All waiting calls.
#[derive(Debug)]
pub(crate) struct WaitingCalls<T> {
    unary: BTreeMap<Ticket, WaitingCall<T>>,
    streams: BTreeMap<Ticket, WaitingCall<T>>,
    /// The turn of the last call that was served.
    turn: usize,
    next_number: u64,
}

impl<T> Default for WaitingCalls<T> {
    fn default() -> Self {
        Self {
            unary: BTreeMap::new(),
            streams: BTreeMap::new(),
            turn: 0,
            next_number: 0,
        }
    }
}

impl<T> WaitingCalls<T> {
    pub(crate) fn join(&mut self, purpose: Purpose, client: &Holdings, call: T) -> Ticket {
        let turn = self.turn + 1 + client.waiting.count() / CALLS_IN_TURN;
        self.insert(turn, purpose, client, call)
    }

    /// The same for a call whose turn had come already.
    pub(crate) fn join_again(&mut self, purpose: Purpose, client: &Holdings, call: T) -> Ticket {
        self.insert(self.turn, purpose, client, call)
    }

    fn insert(&mut self, turn: usize, purpose: Purpose, client: &Holdings, call: T) -> Ticket {
        let number = self.next_number;
        self.next_number += 1;
        let ticket = Ticket { turn, number };
        let call = WaitingCall {
            call,
            client: client.clone(),
            _held: client.waiting.hold(),
        };
        self.of(purpose).insert(ticket, call);
        ticket
    }

    pub(crate) fn count(&self, purpose: Purpose) -> usize {
        match purpose {
            Purpose::Unary => self.unary.len(),
            Purpose::Stream => self.streams.len(),
        }
    }

    /// The purpose of the first call, then the other one.
    pub(crate) fn order(&self) -> [Purpose; 2] {
        let unary = self.unary.keys().next();
        match self.streams.keys().next() {
            Some(stream) if unary.is_none_or(|unary| stream < unary) => {
                [Purpose::Stream, Purpose::Unary]
            }
            _ => [Purpose::Unary, Purpose::Stream],
        }
    }

    /// The first call whose connection is admitted.
    pub(crate) fn first(
        &self,
        purpose: Purpose,
        admits: impl Fn(&Holdings) -> bool,
    ) -> Option<(Ticket, &T)> {
        let calls = match purpose {
            Purpose::Unary => &self.unary,
            Purpose::Stream => &self.streams,
        };
        calls
            .iter()
            .find(|(_, call)| admits(&call.client))
            .map(|(ticket, call)| (*ticket, &call.call))
    }

    /// Removes a call whose turn has come.
    pub(crate) fn serve(&mut self, purpose: Purpose, ticket: Ticket) -> Option<WaitingCall<T>> {
        self.turn = ticket.turn;
        self.leave(purpose, ticket)
    }

    /// Removes a call.
    pub(crate) fn leave(&mut self, purpose: Purpose, ticket: Ticket) -> Option<WaitingCall<T>> {
        self.of(purpose).remove(&ticket)
    }

    fn of(&mut self, purpose: Purpose) -> &mut BTreeMap<Ticket, WaitingCall<T>> {
        match purpose {
            Purpose::Unary => &mut self.unary,
            Purpose::Stream => &mut self.streams,
        }
    }
}
