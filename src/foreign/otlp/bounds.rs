//! What a message may hold, looked at before it is decoded: an empty span is two bytes on the wire and three hundred in
//! memory, so that a bound on the bytes alone would let a small body take a large memory.

use super::DecodeError;
use crate::domain::json::{MAX_FOREIGN_DEPTH, MAX_VALUES};

/// What a span, an event or a record counts for beside a value, by the memory that they take.
const WEIGHT_OF_RECORD: usize = 4;

/// How much a request may still hold.
#[derive(Debug)]
pub(super) struct Allowance {
    n_left: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { n_left: MAX_VALUES }
    }
}

impl Allowance {
    /// Takes a value.
    pub(super) fn take_value(&mut self) -> Result<(), DecodeError> {
        self.take(1)
    }

    /// Takes a span, a log record, or what holds or belongs to one.
    pub(super) fn take_record(&mut self) -> Result<(), DecodeError> {
        self.take(WEIGHT_OF_RECORD)
    }

    fn take(&mut self, n: usize) -> Result<(), DecodeError> {
        self.n_left = self.n_left.checked_sub(n).ok_or(DecodeError::TooManyValues)?;
        Ok(())
    }
}

/// A message of the protocol, as far as it holds others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `ExportTraceServiceRequest`.
    Traces,
    /// `ExportLogsServiceRequest`.
    Logs,
    Resource(Signal),
    Scope(Signal),
    Span,
    LogRecord,
    Event,
    Link,
    Attribute,
    Value,
    List,
    Map,
}

/// Which of the two a resource's messages are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Logs,
}

impl Shape {
    /// Returns what a field of this message holds, where that is a message that we decode.
    fn field(self, number: u64) -> Option<Self> {
        match (self, number) {
            (Self::Traces, 1) => Some(Self::Resource(Signal::Traces)),
            (Self::Logs, 1) => Some(Self::Resource(Signal::Logs)),
            (Self::Resource(signal), 2) => Some(Self::Scope(signal)),
            (Self::Scope(Signal::Traces), 2) => Some(Self::Span),
            (Self::Scope(Signal::Logs), 2) => Some(Self::LogRecord),
            (Self::Span, 9) | (Self::Event, 3) | (Self::LogRecord, 6) | (Self::Map, 1) => Some(Self::Attribute),
            (Self::Span, 11) => Some(Self::Event),
            (Self::Span, 13) => Some(Self::Link),
            (Self::LogRecord, 5) | (Self::Attribute, 2) | (Self::List, 1) => Some(Self::Value),
            (Self::Value, 5) => Some(Self::List),
            (Self::Value, 6) => Some(Self::Map),
            _ => None,
        }
    }

    fn take(self, allowance: &mut Allowance) -> Result<(), DecodeError> {
        match self {
            Self::Attribute | Self::Value | Self::List | Self::Map => allowance.take_value(),
            _ => allowance.take_record(),
        }
    }
}

/// Walks a message on the wire and everything in it that will be decoded.
pub(super) fn check(bytes: &[u8], shape: Shape) -> Result<(), DecodeError> {
    walk(bytes, shape, &mut Allowance::default(), 0)
}

fn walk(mut bytes: &[u8], shape: Shape, allowance: &mut Allowance, depth: usize) -> Result<(), DecodeError> {
    if depth > MAX_FOREIGN_DEPTH {
        return Err(DecodeError::TooDeep);
    }
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let (number, wire_type) = (key >> 3, key & 7);
        match wire_type {
            0 => drop(varint(&mut bytes)?),
            1 => drop(take(&mut bytes, 8)?),
            5 => drop(take(&mut bytes, 4)?),
            2 => {
                let n_bytes = usize::try_from(varint(&mut bytes)?).map_err(|_| DecodeError::Protobuf)?;
                let held = take(&mut bytes, n_bytes)?;
                if let Some(child) = shape.field(number) {
                    child.take(allowance)?;
                    walk(held, child, allowance, depth + 1)?;
                }
            }
            // Groups, which the protocol has none of.
            _ => return Err(DecodeError::Protobuf),
        }
    }
    Ok(())
}

fn take<'a>(bytes: &mut &'a [u8], n_bytes: usize) -> Result<&'a [u8], DecodeError> {
    let (held, rest) = bytes.split_at_checked(n_bytes).ok_or(DecodeError::Protobuf)?;
    *bytes = rest;
    Ok(held)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(DecodeError::Protobuf)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(DecodeError::Protobuf)
}
