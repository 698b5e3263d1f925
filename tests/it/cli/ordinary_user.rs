//! The program run by somebody who is not root. Needs root to become somebody else.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::program::{afterword, run};

/// Asks for the number of the account that every system has for such purposes; `initdb` refuses numbers without one.
fn stranger() -> u32 {
    let output = Command::new("id").args(["-u", "nobody"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn an_ordinary_user_needs_nothing_either() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user; run by an ordinary user, every other test shows this");
        return;
    }
    // Neither the build directory nor root's home can be counted on to be open to others.
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    chown(dir.path(), Some(stranger()), None).unwrap();
    let program = dir.path().join("afterword");
    std::fs::copy(env!("CARGO_BIN_EXE_afterword"), &program).unwrap();
    let as_stranger = |args: &[&str]| run(&mut as_user(&program, dir.path(), args));

    let first = as_stranger(&["migrate"]);
    let second = as_stranger(&["migrate"]);
    let key = as_stranger(&["key", "create"]);

    assert!(first.out.starts_with("migrated the schema from version 0 "), "{first:?}");
    assert!(second.out.starts_with("the schema is up to date"), "{second:?}");
    assert!(key.out.starts_with("aw_sec_"), "{key:?}");
    let mode = std::fs::metadata(dir.path().join(".afterword")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else may look in");
}

fn as_user(program: &Path, directory: &Path, args: &[&str]) -> Command {
    let template = afterword(args);
    let mut command = Command::new(program);
    command.args(template.get_args()).env_clear().current_dir(directory).uid(stranger()).gid(stranger());
    for (name, value) in template.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}
