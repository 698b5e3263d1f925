//! Rows in the forms in which Postgres takes them in binary: arrays by column, an array of composites, `COPY`.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

/// A value in Postgres's binary form.
pub(super) type Value = Option<Vec<u8>>;

/// A value that is encoded already.
#[derive(Clone)]
pub(super) struct Encoded {
    oid: Oid,
    bytes: Vec<u8>,
}

impl Type<Postgres> for Encoded {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }

    fn compatible(_: &PgTypeInfo) -> bool {
        true
    }
}

impl Encode<'_, Postgres> for Encoded {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(self.oid))
    }
}

/// Makes an array of one column's values.
pub(super) fn column(element: u32, array: u32, values: &[&Value]) -> Encoded {
    let mut bytes = array_head(element, values.len());
    for value in values {
        put(&mut bytes, value);
    }
    Encoded { oid: Oid(array), bytes }
}

/// Makes an array of composites.
pub(super) fn composites(element: u32, array: u32, oids: &[u32], rows: &[Vec<Value>]) -> Encoded {
    let mut bytes = array_head(element, rows.len());
    for row in rows {
        let start = bytes.len();
        bytes.extend([0; 4]);
        bytes.extend((row.len() as i32).to_be_bytes());
        for (oid, value) in oids.iter().zip(row) {
            bytes.extend(oid.to_be_bytes());
            put(&mut bytes, value);
        }
        let length = (bytes.len() - start - 4) as i32;
        bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
    Encoded { oid: Oid(array), bytes }
}

/// Makes the data of a `COPY … (FORMAT binary)`.
pub(super) fn copy(rows: &[Vec<Value>]) -> Vec<u8> {
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for row in rows {
        bytes.extend((row.len() as i16).to_be_bytes());
        for value in row {
            put(&mut bytes, value);
        }
    }
    bytes.extend((-1_i16).to_be_bytes());
    bytes
}

fn array_head(element: u32, n_values: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [i32::from(n_values > 0), 1, element as i32] {
        bytes.extend(word.to_be_bytes());
    }
    if n_values > 0 {
        bytes.extend((n_values as i32).to_be_bytes());
        bytes.extend(1_i32.to_be_bytes());
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Some(value) => {
            bytes.extend((value.len() as i32).to_be_bytes());
            bytes.extend(value);
        }
        None => bytes.extend((-1_i32).to_be_bytes()),
    }
}
