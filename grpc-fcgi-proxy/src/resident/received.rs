//! What the frames of a worker do to its calls, and which of them it must not send.

use bytes::Bytes;
use tokio::time::Instant;

use super::frame::{Frame, FrameError, LogLevel};
use super::state::State;
use crate::metrics::resident::Retirement;

/// The connection of a worker is unusable.
#[derive(Debug, thiserror::Error)]
pub(super) enum Violation {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a frame of call {0}, which has not begun")]
    Unknown(u32),
    #[error("an answer to call {0} before its turn")]
    OutOfTurn(u32),
    #[error("more of the answer to call {0} than its credit allows")]
    NoCredit(u32),
    #[error("more credit for call {0} than it had")]
    TooMuchCredit(u32),
}

impl State {
    /// Applies the frames that a worker has sent.
    pub(super) fn receive(&mut self, key: usize, frames: &mut Vec<Frame>) -> Result<(), Violation> {
        let mut ended = 0;
        let result = frames.drain(..).try_for_each(|frame| {
            ended += u32::from(matches!(frame, Frame::End(..)));
            self.receive_one(key, frame)
        });
        if ended > 0 {
            self.hand_out();
        }
        result
    }

    fn receive_one(&mut self, key: usize, frame: Frame) -> Result<(), Violation> {
        let worker = &mut self.workers[key];
        match frame {
            Frame::Data(number, piece) => self.answer(key, number, piece).map(|_| ()),
            Frame::End(number, piece) => {
                if let Some(call) = self.answer(key, number, piece)? {
                    self.ended(key, number, call);
                }
                Ok(())
            }
            Frame::Credit(number, credit) => {
                let Some(call) = self.of(key, number)? else {
                    return Ok(());
                };
                let call = &mut self.calls[call];
                if !call.add_credit(credit) {
                    return Err(Violation::TooMuchCredit(number));
                }
                self.wakes.extend(call.waker.take());
                Ok(())
            }
            Frame::Log(number, level, text) => {
                match worker.calls.get(&number) {
                    Some(call) => self.calls[*call].log.record(level.into(), &text),
                    None => worker.log.record(level.into(), &text),
                }
                Ok(())
            }
            Frame::Retire => {
                worker.retire();
                worker.ask_to_replace(Retirement::Asked);
                Ok(())
            }
            Frame::Exit(number) => {
                if !worker.has_seen(number) {
                    return Err(Violation::Unknown(number));
                }
                worker.exit(number);
                // Its end follows at once, as a rule.
                worker.ask_to_replace(Retirement::Asked);
                Ok(())
            }
            Frame::Status { busy, memory } => {
                worker.set_status(busy, memory);
                Ok(())
            }
        }
    }

    /// The call of that number, unless it is over.
    fn of(&self, key: usize, number: u32) -> Result<Option<usize>, Violation> {
        let worker = &self.workers[key];
        if !worker.has_seen(number) {
            return Err(Violation::Unknown(number));
        }
        Ok(worker.calls.get(&number).copied())
    }

    fn answer(
        &mut self,
        key: usize,
        number: u32,
        piece: Bytes,
    ) -> Result<Option<usize>, Violation> {
        let Some(call_key) = self.of(key, number)? else {
            return Ok(None);
        };
        let call = &mut self.calls[call_key];
        let is_in_turn = call.is_stream()
            || call.cancelled.is_some()
            || self.workers[key].has_exited()
            || self.workers[key].unary.front() == Some(&number);
        if !is_in_turn {
            return Err(Violation::OutOfTurn(number));
        }
        if !call.push(piece, self.limits.answer) {
            return Err(Violation::NoCredit(number));
        }
        // A unary call needs the whole answer.
        if call.is_stream() {
            self.wakes.extend(call.waker.take());
        }
        Ok(Some(call_key))
    }

    fn ended(&mut self, key: usize, number: u32, call_key: usize) {
        let (worker, call) = (&mut self.workers[key], &mut self.calls[call_key]);
        worker.calls.remove(&number);
        if call.is_stream() {
            worker.streams -= 1;
        } else if worker.unary.front() != Some(&number) {
            // Cancelled before it had begun, or too large for the memory.
            worker.unary.retain(|other| *other != number);
        } else {
            worker.unary.pop_front();
            let now = Instant::now();
            let time = now.saturating_duration_since(worker.first_since);
            worker.first_since = now;
            self.unary_time.add(time);
        }
        self.finish(call_key, Ok(()));
    }
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warning => Self::WARN,
            LogLevel::Information => Self::INFO,
        }
    }
}
