//! Writes the manual pages and the shell completions, made from the definition of the command line:
//! `cargo run --example manual FOLDER`. The package holds them; the program itself does not.

mod pages;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        eprintln!(
            "manual: give the folder to write to, and nothing else: cargo run --example manual target/manual"
        );
        return ExitCode::from(2);
    };
    match pages::write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let folder = folder.display();
            eprintln!(
                "manual: Nothing can be written to {folder} ({error}); check that it is a folder and that this user may write there"
            );
            ExitCode::FAILURE
        }
    }
}
