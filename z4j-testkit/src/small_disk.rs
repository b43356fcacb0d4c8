//! A small disk of a test's own, which it may fill: what a store does then, and once there is room again.
//!
//! It is mounted, which only root may.

#![allow(
    clippy::expect_used,
    reason = "a fixture is part of a test: it says what is wrong by panicking"
)]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Unmounts the disk when the test's process is gone, however that ended.
const WATCHDOG: &str = r#"cat >/dev/null; umount -l "$1"; rmdir "$1""#;

/// A file system in memory. It is unmounted with this value, also by a test that fails.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
    watchdog: Child,
}

impl SmallDisk {
    /// Mounts one of so many MiB.
    ///
    /// # Panics
    /// If it cannot be mounted: a test that needs it and has none has failed.
    #[must_use]
    pub fn mount(mebibytes: u32) -> Self {
        let path = tempfile::Builder::new()
            .prefix("z4j-small-disk-")
            .tempdir()
            .expect("a folder to mount it on")
            .keep();
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "z4j-small-disk"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let disk = Self { path, watchdog };
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(&disk.path)
            .output()
            .expect("the program mount");
        assert!(
            mounted.status.success(),
            "tests on a full disk mount a tmpfs, so they run as root or not at all: {}",
            String::from_utf8_lossy(&mounted.stderr).trim()
        );
        // A server that runs as somebody else must get in.
        std::fs::set_permissions(&disk.path, std::fs::Permissions::from_mode(0o755))
            .expect("a disk of one's own");
        disk
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// If the file that takes it cannot be made.
    pub fn fill(&self) {
        let mut ballast = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .expect("a file on the disk");
        // Small pieces at the end, so that not even a page is left.
        for piece in [1 << 20, 4 << 10] {
            let piece = vec![0; piece];
            while ballast.write_all(&piece).is_ok() {}
        }
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// If it was not taken.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("the disk was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The end of its input lets the watchdog unmount.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
