// SPDX-License-Identifier: Apache-2.0
//! `isthmus man`: prints or writes manual pages.

use crate::{error::Error, output::check_is_folder, report};
use clap_mangen::Man;
use std::{fs, path::PathBuf};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus man | man -l -
  isthmus man --output ~/.local/share/man/man1")]
pub(crate) struct Opts {
	/// Folder to write the pages of all commands to [default: print the main page]
	#[arg(long, short, value_name = "DIR")]
	output: Option<PathBuf>,
}

impl Opts {
	/// Returns whether the command writes files, and prints nothing.
	pub(crate) fn is_for_files(&self) -> bool {
		self.output.is_some()
	}
}

/// Prints or writes the pages of `command`, the whole program.
pub(crate) fn run(opts: Opts, command: clap::Command) -> Result<(), Error> {
	match opts.output {
		None => {
			let mut page = Vec::new();
			let command = command.disable_help_subcommand(true);
			Man::new(command).render(&mut page).map_err(Error::failed)?;
			report::write(&page)
		}
		Some(folder) => {
			check_is_folder(&folder)?;
			fs::create_dir_all(&folder)
				.and_then(|()| clap_mangen::generate_to(command, &folder))
				.map_err(|error| Error::file(&folder, &error))
		}
	}
}
