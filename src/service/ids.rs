//! New ids: UUIDv7, so that what is made later sorts later.

use uuid::{Builder, Uuid};

use super::chance;
use crate::domain::clock::{Clock as _, SystemClock};

/// Makes an id that sorts after those made before.
#[expect(clippy::disallowed_methods, reason = "the owner of new ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Makes the id of a request. There are tens of thousands of them a second, and to ask the kernel for chance costs each as
/// much as a parsed item; the thread's own generator, which the kernel seeds, is as good.
pub fn new_request_id() -> Uuid {
    let millis = SystemClock.now().timestamp_millis();
    Builder::from_unix_timestamp_millis(millis.unsigned_abs(), &chance::quick_bytes()).into_uuid()
}

/// Makes an id that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the owner of new ids")]
pub fn new_token() -> Uuid {
    Uuid::new_v4()
}
