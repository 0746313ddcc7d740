// SPDX-License-Identifier: Apache-2.0
//! `isthmus man`: prints or writes manual pages.

use crate::{error::Error, output::check_is_folder, report};
use clap_mangen::Man;
use isthmus_sdk::file;
use std::{
	fs,
	path::{Path, PathBuf},
};

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
			fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, &error))?;
			let mut command = command.disable_help_subcommand(true);
			command.build();
			write_pages(&command, &folder)
		}
	}
}

/// Writes the pages of a command and those below it. A full disk leaves no part of one.
fn write_pages(command: &clap::Command, folder: &Path) -> Result<(), Error> {
	for below in command
		.get_subcommands()
		.filter(|below| !below.is_hide_set())
	{
		write_pages(below, folder)?;
	}
	let mut text = Vec::new();
	let page = Man::new(command.clone());
	page.render(&mut text).map_err(Error::failed)?;
	let path = folder.join(page.get_filename());
	file::publish(&path, &text).map_err(|error| Error::file(&path, &error))
}
