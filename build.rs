//! Tells cargo that a new migration changes the program, which embeds them.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
