//! A small disk of a test's own, to be filled. Only root can mount one.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small disk in memory, mounted until the end of its test.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it, or tells why not.
    pub(crate) fn mount(path: &Path, size_mib: usize) -> Result<Self, String> {
        std::fs::create_dir(path).unwrap();
        let options = format!("size={size_mib}m,mode=0711");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(path).output().unwrap();
        if !mounted.status.success() {
            return Err(String::from_utf8_lossy(&mounted.stderr).into_owned());
        }
        std::fs::set_permissions(path, Permissions::from_mode(0o711)).unwrap();
        Ok(Self(path.to_owned()))
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        let piece = vec![0; 64 << 10];
        while ballast.write_all(&piece).is_ok() {}
        while ballast.write_all(&[0; 512]).is_ok() {}
    }

    /// Takes all the room but so many bytes.
    pub(crate) fn fill_but(&self, n_bytes: u64) {
        self.fill();
        let ballast = File::options().write(true).open(self.ballast()).unwrap();
        ballast.set_len(ballast.metadata().unwrap().len().saturating_sub(n_bytes)).unwrap();
    }

    /// Returns where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the room back.
    pub(crate) fn empty(&self) {
        File::options().write(true).truncate(true).open(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(), "the disk stays mounted");
    }
}
