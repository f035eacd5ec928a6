//! The `refrain` program: everything it does stands in `cli`, `refrain::server` and `refrain::client`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
