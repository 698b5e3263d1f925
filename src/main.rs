//! Afterword.
fn main() {}
