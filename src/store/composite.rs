//! Rows in Postgres's binary form of a composite type, so that a batch is one value: an array of rows.
//!
//! The members carry the types that they are written with, and Postgres refuses a row whose types are not those of its
//! composite type.

use sqlx::postgres::PgArgumentBuffer;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::json::Json;

/// Object ids of the built-in types, the same in every database.
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const BYTEA: u32 = 17;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT4: u32 = 23;
    pub(super) const TEXT: u32 = 25;
    pub(super) const FLOAT8: u32 = 701;
    pub(super) const TEXTS: u32 = 1009;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
    pub(super) const UUID: u32 = 2950;
    pub(super) const JSONB: u32 = 3802;
}

/// Microseconds from 1970, where chrono's time begins, to 2000, where Postgres's does.
const EPOCH_US: i64 = 946_684_800_000_000;
const NULL: i32 = -1;

/// Writes the members of one row, in the order of its type.
pub(super) struct Members<'a> {
    buffer: &'a mut PgArgumentBuffer,
    start: usize,
    n_members: i32,
}

impl<'a> Members<'a> {
    pub(super) fn begin(buffer: &'a mut PgArgumentBuffer) -> Self {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        Self { buffer, start, n_members: 0 }
    }

    pub(super) fn end(self) {
        self.buffer[self.start..self.start + 4].copy_from_slice(&self.n_members.to_be_bytes());
    }

    pub(super) fn uuid(&mut self, value: Option<Uuid>) -> &mut Self {
        self.member(oid::UUID, value.as_ref().map(|value| &value.as_bytes()[..]))
    }

    pub(super) fn text(&mut self, value: Option<&str>) -> &mut Self {
        self.member(oid::TEXT, value.map(str::as_bytes))
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.member(oid::BYTEA, Some(value))
    }

    pub(super) fn float(&mut self, value: Option<f64>) -> &mut Self {
        self.member(oid::FLOAT8, value.map(f64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))
    }

    pub(super) fn int8(&mut self, value: Option<i64>) -> &mut Self {
        self.member(oid::INT8, value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))
    }

    pub(super) fn int4(&mut self, value: Option<i32>) -> &mut Self {
        self.member(oid::INT4, value.map(i32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice))
    }

    pub(super) fn boolean(&mut self, value: Option<bool>) -> &mut Self {
        self.member(oid::BOOL, value.map(|value| [u8::from(value)]).as_ref().map(<[u8; 1]>::as_slice))
    }

    pub(super) fn time(&mut self, value: Option<Timestamp>) -> &mut Self {
        let us = value.map(|value| (value.timestamp_micros() - EPOCH_US).to_be_bytes());
        self.member(oid::TIMESTAMPTZ, us.as_ref().map(<[u8; 8]>::as_slice))
    }

    /// Writes JSON text straight into the message.
    pub(super) fn json_text(&mut self, value: Option<impl FnOnce(&mut Vec<u8>)>) -> &mut Self {
        match value {
            Some(write) => self.sized(oid::TEXT, write),
            None => self.member(oid::TEXT, None),
        }
    }

    /// Writes JSON that the database parses.
    pub(super) fn jsonb(&mut self, value: Option<&Json>) -> &mut Self {
        const VERSION: u8 = 1;
        match value {
            Some(value) => self.sized(oid::JSONB, |buffer| {
                buffer.push(VERSION);
                value.write_text(buffer);
            }),
            None => self.member(oid::JSONB, None),
        }
    }

    /// Writes a list of texts, null where it is empty.
    pub(super) fn texts<'t>(&mut self, values: impl ExactSizeIterator<Item = &'t str>) -> &mut Self {
        if values.len() == 0 {
            return self.member(oid::TEXTS, None);
        }
        self.sized(oid::TEXTS, |buffer| {
            // One dimension, no nulls, of text, so many, counted from one.
            for word in [1, 0, oid::TEXT as i32, values.len() as i32, 1] {
                buffer.extend_from_slice(&word.to_be_bytes());
            }
            for value in values {
                buffer.extend_from_slice(&(value.len() as i32).to_be_bytes());
                buffer.extend_from_slice(value.as_bytes());
            }
        })
    }

    fn member(&mut self, oid: u32, value: Option<&[u8]>) -> &mut Self {
        self.n_members += 1;
        self.buffer.extend_from_slice(&oid.to_be_bytes());
        match value {
            Some(value) => {
                self.buffer.extend_from_slice(&(value.len() as i32).to_be_bytes());
                self.buffer.extend_from_slice(value);
            }
            None => self.buffer.extend_from_slice(&NULL.to_be_bytes()),
        }
        self
    }

    /// Writes a member whose length is known only when it is written.
    fn sized(&mut self, oid: u32, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.n_members += 1;
        self.buffer.extend_from_slice(&oid.to_be_bytes());
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 4]);
        write(&mut *self.buffer);
        let length = (self.buffer.len() - start - 4) as i32;
        self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        self
    }
}

/// What of a batch was inserted.
#[derive(Debug)]
pub enum Inserted<K> {
    /// Every row.
    All,
    /// The rows of these keys; under each other one something was stored before.
    Only(std::collections::HashSet<K>),
}

/// Gives rows the type in which they go to Postgres.
macro_rules! composite {
    ($row:ident, $name:literal, $array:literal) => {
        impl sqlx::Type<sqlx::Postgres> for $row<'_> {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::with_name($name)
            }
        }

        impl sqlx::postgres::PgHasArrayType for $row<'_> {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::with_name($array)
            }
        }

        impl sqlx::Encode<'_, sqlx::Postgres> for $row<'_> {
            fn encode_by_ref(
                &self,
                buffer: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                let mut members = Members::begin(buffer);
                self.write(&mut members);
                members.end();
                Ok(sqlx::encode::IsNull::No)
            }
        }
    };
}
pub(super) use composite;
