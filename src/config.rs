//! Configuration.

/// Reads a variable of the process's environment.
#[expect(clippy::disallowed_methods, reason = "the one place where the program reads its environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
