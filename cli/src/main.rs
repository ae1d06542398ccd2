//! The `sop` binary: parses the command line, runs one command, and exits with a number that means
//! something. Data goes to standard output, everything else to standard error.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;

mod args;
mod client;
mod command;
mod config;
mod context;
mod credentials;
mod exit;
mod gate;
mod input;
mod layout;
mod person;
mod progress;
mod render;
mod resolve;
mod templates;
mod versions;
mod wire;
mod workspace;

use args::Args;
use client::ClientError;
use context::Context;
use exit::Exit;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are answers; anything else is a mistake in the arguments.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            drop(error.print());
            return exit.into();
        }
    };
    let serves = matches!(args.command, args::Command::Dev(_));
    let mut builder =
        if serves { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    let runtime = builder.enable_all().build();
    let ran = match runtime {
        Ok(runtime) => {
            let mut context = Context::new(&args.global);
            runtime.block_on(command::run(args.command, &mut context)).and_then(|exit| {
                context.screen.flush()?;
                Ok(exit)
            })
        }
        Err(error) => Err(error.into()),
    };
    ran.unwrap_or_else(|error| explain(&error)).into()
}

/// Prints an error with its causes as one chain, and gives the exit it stands for.
fn explain(error: &anyhow::Error) -> Exit {
    let is_broken_pipe = error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    });
    if is_broken_pipe {
        // Whoever read our output has read enough.
        return Exit::Ok;
    }
    eprintln!("error: {}", render::printable_block(&format!("{error:#}")));
    match error.downcast_ref::<ClientError>() {
        Some(client) => {
            if let Some(hint) = client.hint() {
                eprintln!("help: {hint}");
            }
            client.exit()
        }
        None => Exit::Usage,
    }
}
