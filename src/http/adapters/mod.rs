//! Addresses that speak another tool's protocol, one file for each tool. What they write obeys the rules of everything else;
//! only the form of the request, and of the answer where that tool's clients read it, is the tool's.

pub(crate) mod langfuse;
pub(crate) mod litellm;
pub(crate) mod otlp;
