// SPDX-License-Identifier: Apache-2.0
//! `isthmus completions`: prints completion scripts for shells.

use crate::{error::Error, report};
use clap_complete::Shell;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus completions bash > ~/.local/share/bash-completion/completions/isthmus
  isthmus completions zsh > ~/.zfunc/_isthmus
  isthmus completions fish > ~/.config/fish/completions/isthmus.fish")]
pub(crate) struct Opts {
	/// Shell to complete for
	shell: Shell,
}

/// Prints the script for `command`, the whole program.
pub(crate) fn run(opts: Opts, mut command: clap::Command) -> Result<(), Error> {
	let mut script = Vec::new();
	clap_complete::generate(opts.shell, &mut command, "isthmus", &mut script);
	report::write(&script)
}
