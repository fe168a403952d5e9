//! The published foca crate as a witness. See the README of this folder for the subcommands.

mod agent;
mod handler;
mod id;
mod notation;
mod replay;
mod script;
mod session;
mod vectors;

use std::process::exit;

const USAGE: &str = "usage: foca-interop-peer agent|vectors|replay [OPTIONS]";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let status = match command.as_str() {
        "agent" => agent::run(&rest),
        "vectors" => vectors::run(&rest),
        "replay" => replay::run().map_err(|error| error.to_string()),
        _ => Err(USAGE.to_string()),
    };
    match status {
        Ok(code) => exit(code),
        Err(message) => {
            eprintln!("{message}");
            exit(2);
        }
    }
}
