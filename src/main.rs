//! The program: its arguments go in, its exit status comes out.

use std::process::ExitCode;

fn main() -> ExitCode {
    afterword::cli::main()
}
