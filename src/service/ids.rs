//! New ids: UUIDv7, so that what is made later sorts later.

use uuid::Uuid;

/// Makes an id that sorts after those made before.
#[expect(clippy::disallowed_methods, reason = "the owner of new ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Makes an id that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the owner of new ids")]
pub fn new_token() -> Uuid {
    Uuid::new_v4()
}
