//! `replay`: a script of JSON lines in, one JSON line of result per step out.

use std::io::{self, BufRead, Write};

use crate::session::run_line;

/// Runs the script on standard input; empty lines and lines that start with `#` are skipped.
/// Returns the exit status: 2 when a line was refused.
pub fn run() -> io::Result<i32> {
    let mut session = None;
    let mut out = io::stdout().lock();
    for (index, text) in io::stdin().lock().lines().enumerate() {
        let text = text?;
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        match run_line(&mut session, index + 1, &text) {
            Ok(result) => {
                writeln!(out, "{result}")?;
                out.flush()?;
            }
            Err(error) => {
                eprintln!("{error}");
                return Ok(2);
            }
        }
    }
    Ok(0)
}
