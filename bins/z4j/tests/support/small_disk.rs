//! A small disk of a test's own, which it may fill.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Unmounts the disk when the test's process is gone, however that ended.
const WATCHDOG: &str = r#"cat >/dev/null; umount -l "$1"; rmdir "$1""#;

/// A file system in memory. It is unmounted with this value, also by a test that fails.
pub(crate) struct SmallDisk {
    path: PathBuf,
    watchdog: Child,
}

impl SmallDisk {
    /// Mounts one of so many MiB.
    pub(crate) fn mount(mebibytes: u32) -> Self {
        let path = tempfile::Builder::new()
            .prefix("z4j-small-disk-")
            .tempdir()
            .unwrap()
            .keep();
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "z4j-small-disk"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let disk = Self { path, watchdog };
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(&disk.path)
            .output()
            .unwrap();
        assert!(
            mounted.status.success(),
            "tests on a full disk mount a tmpfs, so they run as root or not at all: {}",
            String::from_utf8_lossy(&mounted.stderr).trim()
        );
        // A server that runs as somebody else must get in.
        std::fs::set_permissions(&disk.path, std::fs::Permissions::from_mode(0o755)).unwrap();
        disk
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut ballast = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        // Small pieces at the end, so that not even a page is left.
        for piece in [1 << 20, 4 << 10] {
            let piece = vec![0; piece];
            while ballast.write_all(&piece).is_ok() {}
        }
    }

    /// Gives the room back.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
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
