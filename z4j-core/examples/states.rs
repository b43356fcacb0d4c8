//! Prints the page of a state machine: `task` (the default) or `command`. `cargo xtask gen` keeps both under `docs/`.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let page = match std::env::args().nth(1).as_deref() {
        None | Some("task") => z4j_core::task::document(),
        Some("command") => z4j_core::command::document(),
        Some(other) => {
            return Err(io::Error::other(format!(
                "no machine is called {other}: task, command"
            )));
        }
    };
    io::stdout().write_all(page.as_bytes())
}
