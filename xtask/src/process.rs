//! Running other programs: to the end, to the end while reading along, or until dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Runs a command to its end with our own output; an exit code other than zero is an error.
pub(crate) fn run(command: &mut Command, what: &str) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{what} could not be started"))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// Runs a command quietly and returns what it printed; its error output is part of the error.
pub(crate) fn read(command: &mut Command, what: &str) -> anyhow::Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("{what} could not be started"))?;
    if !output.status.success() {
        bail!(
            "{what} failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}

/// Runs a command to its end, passing its output through line by line and keeping the lines.
pub(crate) fn run_reading_along(
    command: &mut Command,
    what: &str,
) -> anyhow::Result<(ExitStatus, Vec<String>)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{what} could not be started"))?;
    let out = child.stdout.take().context("standard output is a pipe")?;
    let err = child.stderr.take().context("standard error is a pipe")?;
    let errors = thread::spawn(move || pass_through(err, std::io::stderr()));
    let mut lines = pass_through(out, std::io::stdout());
    lines.extend(errors.join().unwrap_or_default());
    Ok((child.wait()?, lines))
}

fn pass_through(from: impl Read, mut to: impl Write) -> Vec<String> {
    let mut lines = Vec::new();
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    while from
        .read_until(b'\n', &mut bytes)
        .is_ok_and(|count| count > 0)
    {
        // A closed terminal is no reason to stop reading: the counts at the end still matter.
        let _ = to.write_all(&bytes);
        lines.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
        bytes.clear();
    }
    lines
}

/// A program that is stopped when this value goes away, also on an early return.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: &'static str,
}

impl Running {
    /// Starts the command; on Linux the kernel also ends it if this program is killed.
    pub(crate) fn start(command: &mut Command, name: &'static str) -> anyhow::Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("{name} could not be started"))?;
        Ok(Self { child, name })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Fails with a sentence if the program has ended by itself.
    pub(crate) fn must_still_run(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended by itself ({status})", self.name);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that the kernel kills when this program dies, where the `setpriv` tool is there to arrange it.
pub(crate) fn tied_to_us(program: &std::path::Path) -> Command {
    match crate::tools::find(&["setpriv"]) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Asks until the answer is yes, at most this long.
pub(crate) fn wait_until(
    limit: Duration,
    mut ready: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let until = Instant::now() + limit;
    loop {
        if ready()? {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
