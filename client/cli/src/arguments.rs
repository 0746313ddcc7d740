// SPDX-License-Identifier: Apache-2.0
//! What is wrong with the arguments, in words that say what to do.

use crate::{secret, text, tip};
use clap::{
	error::{ContextKind, ContextValue, ErrorKind},
	parser::ValueSource,
	Arg, ArgAction, ArgMatches, Command, CommandFactory,
};
use std::{
	ffi::OsString,
	num::{IntErrorKind, ParseFloatError, ParseIntError},
};

/// Says what is wrong with the arguments of a program, where the words of `clap` do not say what to do.
pub(crate) fn in_words<Program: CommandFactory>(error: clap::Error) -> clap::Error {
	let error = with_visible_values(with_own_tip(error));
	let arguments: Vec<_> = std::env::args_os().collect();
	with_named_bytes::<Program>(with_number_in_words(error), &arguments)
}

/// Lets negative numbers be values, so that errors are about the values, and flags be repeated, as where an alias has one
/// already.
pub(crate) fn as_people_write(command: clap::Command) -> clap::Command {
	let taken = |arg: clap::Arg| {
		let is_flag = matches!(arg.get_action(), clap::ArgAction::SetTrue);
		let (id, values) = (arg.get_id().clone(), arg.get_action().takes_values());
		match is_flag {
			true => arg.overrides_with(id),
			false => arg.allow_negative_numbers(values),
		}
	};
	command.mut_args(taken).mut_subcommands(as_people_write)
}

/// Reads a command line: what the command is given, and what each name in the line is given alone, as [`levels`] returns it.
///
/// An option of all commands stands before the name of the command or after it. If it stands on both sides, `clap` drops the
/// first value without a word. Here this is the error that it is on one side.
pub(crate) fn read(
	command: Command,
	line: impl IntoIterator<Item = OsString> + Clone,
) -> Result<(ArgMatches, ArgMatches), clap::Error> {
	let mut command = as_people_write(command);
	let read = command.try_get_matches_from_mut(line.clone())?;
	command.build();
	let apart = apart(command.clone()).try_get_matches_from(line)?;
	let (mut called, mut given) = (&command, Vec::<&Arg>::new());
	for level in levels(&apart) {
		let is_given = |arg: &&Arg| {
			arg.is_global_set()
				&& level.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
		};
		let here: Vec<&Arg> = called.get_arguments().filter(is_given).collect();
		for arg in &here {
			if let Some(before) = given.iter().find(|before| excludes(&command, arg, before)) {
				return Err(conflict(called, arg, before));
			}
		}
		given.extend(here);
		let next = level.subcommand_name();
		match next.and_then(|name| called.find_subcommand(name)) {
			Some(next) => called = next,
			None => break,
		}
	}
	Ok((read, apart))
}

/// Makes the options of all commands options of each one: what is given for one is then not copied to those below it.
fn apart(command: Command) -> Command {
	let own = |arg: Arg| arg.global(false);
	command.mut_args(own).mut_subcommands(apart)
}

/// Returns what each name in a command line is given, from the program to the command that is called.
pub(crate) fn levels(matches: &ArgMatches) -> impl Iterator<Item = &ArgMatches> {
	std::iter::successors(Some(matches), |matches| {
		matches.subcommand().map(|(_, below)| below)
	})
}

/// Returns whether an option of all commands cannot stand together with one before the command's name.
fn excludes(program: &Command, arg: &Arg, before: &Arg) -> bool {
	if arg.get_id() == before.get_id() {
		return matches!(arg.get_action(), ArgAction::Set);
	}
	let names = |arg: &Arg, other: &Arg| {
		let mut named = program.get_arg_conflicts_with(arg).into_iter();
		named.any(|named| named.get_id() == other.get_id())
	};
	names(arg, before) || names(before, arg)
}

/// Returns the error of `clap` about two arguments that cannot stand together, or about one that is repeated.
fn conflict(called: &Command, arg: &Arg, before: &Arg) -> clap::Error {
	let mut error: clap::Error = clap::Error::new(ErrorKind::ArgumentConflict).with_cmd(called);
	for (kind, arg) in [
		(ContextKind::InvalidArg, arg),
		(ContextKind::PriorArg, before),
	] {
		error.insert(kind, ContextValue::String(arg.to_string()));
	}
	let usage = called.clone().render_usage();
	error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
	error
}

/// How to write a value that begins with a dash.
const DASH: &str = "a value that begins with - is written as --name=-x after an option, and otherwise last, after all options and --; the path of a file may begin with ./ instead";
/// What is wrong if an option comes after the values.
const BEHIND: &str = "what comes after -- is a value: write all options before it";

/// Says how to write a value that begins with a dash. The tip of `clap` repeats a part of it, unquoted, and the options that follow
/// would be taken for values, too.
fn with_own_tip(mut error: clap::Error) -> clap::Error {
	let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
	let is_long = matches!(
		error.get(ContextKind::InvalidArg),
		Some(ContextValue::String(argument)) if argument.starts_with("--")
	);
	let tip = dash_tip(&error, &arguments);
	if tip == Some(DASH) && is_long && error.kind() == ErrorKind::UnknownArgument {
		// It is rather an option of another command than a value.
		error.remove(ContextKind::Suggested);
	} else if let Some(tip) = tip {
		error.insert(
			ContextKind::Suggested,
			ContextValue::StyledStrs(vec![tip.into()]),
		);
	}
	error
}

/// Returns what to do about an argument that begins with a dash and should have been a value, or the other way round.
fn dash_tip(error: &clap::Error, arguments: &[OsString]) -> Option<&'static str> {
	let begins = |argument: &OsString| argument.as_encoded_bytes().starts_with(b"-");
	let is_for_values = match error.get(ContextKind::Suggested) {
		Some(ContextValue::StyledStrs(tips)) => tips
			.iter()
			.any(|tip| tip.to_string().contains("' as a value, use '")),
		_ => false,
	};
	let is_empty = matches!(
		error.get(ContextKind::InvalidValue),
		Some(ContextValue::String(value)) if value.is_empty()
	);
	let is_given_as_empty = || arguments.iter().any(|argument| argument.is_empty());
	match error.kind() {
		ErrorKind::UnknownArgument if is_for_values => Some(DASH),
		ErrorKind::UnknownArgument => {
			let values = arguments.iter().skip_while(|argument| *argument != "--");
			values.skip(1).any(begins).then_some(BEHIND)
		}
		ErrorKind::InvalidValue if is_empty && !is_given_as_empty() => {
			let mut pairs = arguments.windows(2);
			pairs.any(|pair| pair.iter().all(begins)).then_some(DASH)
		}
		_ => None,
	}
}

/// The most characters of an argument that an error repeats.
const MOST_REPEATED: usize = 200;

/// Escapes and shortens what an error repeats of the arguments: in a script, they may come from someone else. What may be a
/// secret is not repeated.
fn with_visible_values(mut error: clap::Error) -> clap::Error {
	let context = error.context().filter_map(|(kind, value)| match value {
		ContextValue::String(text) => Some((kind, text.clone())),
		_ => None,
	});
	let is_url = matches!(
		error.get(ContextKind::InvalidArg),
		Some(ContextValue::String(argument)) if argument.starts_with("--url")
	);
	let is_secret = secret::is_refused(&error);
	for (kind, text) in context.collect::<Vec<_>>() {
		let mut visible = text::shown(match (kind, is_url) {
			(ContextKind::InvalidValue, _) if is_secret => secret::HIDDEN.to_owned(),
			(ContextKind::InvalidValue, true) => secret::shown_url(&text),
			_ => secret::shown_argument(&text),
		});
		shorten(&mut visible);
		if visible != text {
			error.insert(kind, ContextValue::String(visible));
		}
	}
	error
}

/// Cuts off what an error does not repeat of an argument.
fn shorten(visible: &mut String) {
	if let Some((end, _)) = visible.char_indices().nth(MOST_REPEATED) {
		visible.truncate(end);
		visible.push('…');
	}
}

/// What to do about a pattern that is not UTF-8.
const ANY_BYTE: &str = "in a pattern, ? stands for a byte that is not UTF-8";

/// Says which argument is not UTF-8, which `clap` does not. Other errors are returned unchanged.
fn with_named_bytes<Program: CommandFactory>(
	error: clap::Error,
	arguments: &[OsString],
) -> clap::Error {
	let found = match error.kind() {
		ErrorKind::InvalidUtf8 => wrong_bytes::<Program>(arguments),
		_ => None,
	};
	let Some(at) = found else { return error };
	let (argument, option) = (&arguments[at], option_before::<Program>(arguments, at));
	let (text, given) = (argument.to_string_lossy(), option.unwrap_or_default());
	let is_of = |name: &str| given == name || text.starts_with(&format!("{name}="));
	let private = ["--url", "--key"].into_iter().find(|name| is_of(name));
	let visible = match private {
		Some("--url") => secret::shown_url(text.strip_prefix("--url=").unwrap_or(&text)),
		Some(_) => secret::HIDDEN.to_owned(),
		None => secret::shown_argument(&text),
	};
	let mut visible = match visible == text {
		true => tip::quoted(argument),
		false => text::shown(visible),
	};
	shorten(&mut visible);
	let what = match option.or(private) {
		Some(option) => format!("the value of {option}"),
		None => "the argument".into(),
	};
	let way_out = match is_of("--exclude") {
		true => format!("\n\n  tip: {ANY_BYTE}"),
		false => String::new(),
	};
	clap::Error::raw(
		error.kind(),
		format!("{what} is not UTF-8: {visible}{way_out}\n\nFor more information, try '--help'.\n"),
	)
}

/// Finds the first argument that should be UTF-8 and is not. Paths need not be.
fn wrong_bytes<Program: CommandFactory>(arguments: &[OsString]) -> Option<usize> {
	let is_text = |at: &usize| arguments[*at].to_str().is_some();
	(0..arguments.len()).filter(|at| !is_text(at)).find(|at| {
		// The others are no reason then.
		let alone = arguments
			.iter()
			.enumerate()
			.map(|(other, argument)| match other == *at {
				true => argument.clone(),
				false => OsString::from(argument.to_string_lossy().into_owned()),
			});
		let read = as_people_write(Program::command()).try_get_matches_from(alone);
		read.is_err_and(|error| error.kind() == ErrorKind::InvalidUtf8)
	})
}

/// Returns the option whose value an argument is, if it follows one that takes values.
fn option_before<Program: CommandFactory>(arguments: &[OsString], at: usize) -> Option<&str> {
	let before = &arguments[..at];
	let option = before.last()?.to_str()?;
	let is_value = before.iter().any(|argument| argument == "--");
	(!is_value && takes_value(&Program::command(), before, option)).then_some(option)
}

/// Returns whether an option of a command, or of the one below it that is called, takes a value.
fn takes_value(command: &clap::Command, arguments: &[OsString], option: &str) -> bool {
	let is_called = |arg: &clap::Arg| match option.strip_prefix("--") {
		Some(name) => arg.get_long() == Some(name),
		None => arg
			.get_short()
			.is_some_and(|short| option == format!("-{short}")),
	};
	let mut args = command.get_arguments();
	let mut called = arguments
		.iter()
		.filter_map(|name| command.find_subcommand(name));
	args.any(|arg| is_called(arg) && arg.get_action().takes_values())
		|| called
			.next()
			.is_some_and(|inner| takes_value(inner, arguments, option))
}

/// Says what is wrong with a value that should have been a number: the standard library's sentence, such as "invalid
/// digit found in string", tells users nothing. Other errors are returned unchanged.
fn with_number_in_words(error: clap::Error) -> clap::Error {
	let source = std::error::Error::source(&error);
	let wanted = match source.and_then(|source| source.downcast_ref::<ParseIntError>()) {
		Some(wrong) => match wrong.kind() {
			IntErrorKind::PosOverflow => "the number is too large",
			IntErrorKind::NegOverflow => "the number is too small",
			_ => "expected a whole number",
		},
		None if source.is_some_and(|source| source.is::<ParseFloatError>()) => "expected a number",
		None => return error,
	};
	let text = |kind| match error.get(kind) {
		Some(ContextValue::String(text)) => text.as_str(),
		_ => "",
	};
	let (value, argument) = (
		text(ContextKind::InvalidValue),
		text(ContextKind::InvalidArg),
	);
	let message = format!("invalid value '{value}' for '{argument}': {wanted}");
	clap::Error::raw(
		error.kind(),
		format!("{message}\n\nFor more information, try '--help'.\n"),
	)
}

#[cfg(all(test, unix))]
mod tests {
	use super::*;
	use crate::Isthmus;

	/// Reads a command line as the program does.
	fn said(words: &[&str]) -> Result<ArgMatches, clap::Error> {
		let line: Vec<OsString> = words.iter().map(OsString::from).collect();
		read(Isthmus::command(), line).map(|(_, apart)| apart)
	}

	/// Tries an option of the commands below one on both sides of a name.
	fn try_both_sides(before: &[&str], below: &[&str], arg: &Arg) {
		let name = format!("--{}", arg.get_long().unwrap_or_default());
		let hash = format!("0x{}", "0f".repeat(32));
		let values = ["1", "//Bob", "ws://127.0.0.1:1", &hash];
		let with = |value: &str| match arg.get_action().takes_values() {
			true => format!("{name}={value}"),
			false => name.clone(),
		};
		let alone = |option: &String| said(&[before, &[option.as_str()], below].concat()).is_ok();
		let option = values.map(with).into_iter().find(alone);
		let option = option.unwrap_or_else(|| panic!("{name}: add a value of this kind"));
		let option = option.as_str();
		let both = said(&[before, &[option], below, &[option]].concat());
		match arg.get_action() {
			ArgAction::Set => {
				let refused = both.expect_err(&name);
				assert_eq!(refused.kind(), ErrorKind::ArgumentConflict, "{name}");
				let refused = refused.to_string();
				let begin = format!("error: the argument '{name} <");
				assert!(refused.starts_with(&begin), "{refused}");
				let end = "' cannot be used multiple times\n";
				assert!(refused.contains(end), "{refused}");
				assert!(refused.contains("Usage: isthmus "), "{refused}");
			}
			ArgAction::SetTrue => assert!(both.is_ok(), "{name}"),
			// `Options::take_urls` puts those of both sides together.
			_ => assert_eq!(name, "--url", "the values of both sides have to be used"),
		}
	}

	#[test]
	fn no_option_of_all_commands_is_dropped_if_it_is_before_and_after_a_name() {
		let program = Isthmus::command();
		let is_global = |arg: &&Arg| arg.is_global_set();
		let mut count = 0;
		for arg in program.get_arguments().filter(is_global) {
			try_both_sides(&["isthmus"], &["balance"], arg);
			try_both_sides(&["isthmus"], &["dataset", "list"], arg);
			try_both_sides(&["isthmus", "dataset"], &["list"], arg);
			count += 1;
		}
		assert!(count > 10, "{count}");
		for below in program.get_subcommands() {
			for arg in below.get_arguments().filter(is_global) {
				assert_eq!(below.get_name(), "trace", "add a line for this command");
				let record = ["record", "//Alice", "marks.csv"];
				try_both_sides(&["isthmus", "trace"], &record, arg);
			}
		}
	}

	#[test]
	fn options_that_exclude_each_other_do_so_on_two_sides_of_a_name() {
		let hash = format!("0x{}", "0f".repeat(32));
		let options = [["--genesis", hash.as_str()], ["--chain-spec", "a.json"]];
		for [first, second] in [[0, 1], [1, 0]] {
			let line = [
				&["isthmus"][..],
				&options[first],
				&["status"],
				&options[second],
			];
			let refused = said(&line.concat()).unwrap_err();
			assert_eq!(refused.kind(), ErrorKind::ArgumentConflict);
			let refused = refused.to_string();
			assert!(refused.contains("cannot be used with"), "{refused}");
		}
	}

	#[test]
	fn the_addresses_on_both_sides_of_a_name_are_put_together() {
		let line = "isthmus --url ws://a:1 --url ws://b:1 balance --url ws://c:1";
		let line = line.split(' ').map(OsString::from).collect::<Vec<_>>();
		let parsed = crate::parse_from(line).unwrap();
		assert_eq!(
			parsed.options.urls().unwrap(),
			["ws://a:1", "ws://b:1", "ws://c:1"]
		);
		let one = ["isthmus", "--url", "ws://a:1", "balance"].map(OsString::from);
		let parsed = crate::parse_from(one).unwrap();
		assert_eq!(parsed.options.urls().unwrap(), ["ws://a:1"]);
	}

	#[test]
	fn a_phrase_of_any_language_in_place_of_a_path_is_not_shown() {
		let phrase = "eins zwei drei vier ".repeat(3);
		let command = as_people_write(Isthmus::command());
		let read = command.try_get_matches_from(["isthmus", "balance", "--key", &phrase]);
		let said = with_visible_values(read.unwrap_err()).to_string();
		assert!(said.contains("--key") && !said.contains("eins"), "{said}");
	}

	#[test]
	fn an_argument_that_is_not_utf_8_is_named() {
		use std::os::unix::ffi::OsStringExt;
		let said = |arguments: &[&[u8]]| {
			let program: &[u8] = b"isthmus";
			let arguments = [program].into_iter().chain(arguments.iter().copied());
			let arguments = arguments.map(|argument| OsString::from_vec(argument.to_vec()));
			let arguments: Vec<_> = arguments.collect();
			let command = as_people_write(Isthmus::command());
			let error = command.try_get_matches_from(&arguments).unwrap_err();
			with_named_bytes::<Isthmus>(error, &arguments).to_string()
		};
		let exclude = said(&[b"sync", b"pictures\xfe", b"--exclude", b"\xff*"]);
		let begin = r"error: the value of --exclude is not UTF-8: $'\xff*'";
		assert!(exclude.starts_with(begin), "{exclude}");
		assert!(exclude.contains(ANY_BYTE), "{exclude}");
		let joined = said(&[b"sync", b"a", b"--exclude=\xff\x1b"]);
		let begin = r"error: the argument is not UTF-8: $'--exclude=\xff\x1b'";
		assert!(joined.starts_with(begin), "{joined}");
		assert!(joined.contains(ANY_BYTE), "{joined}");
		// A flag takes no value, and after -- there is none.
		for flag in [b"--force".as_slice(), b"--folder", b"--"] {
			let value = said(&[b"fetch", flag, b"//Bob\xff", b"a"]);
			let begin = r"error: the argument is not UTF-8: $'//Bob\xff'";
			assert!(value.starts_with(begin), "{value}");
			assert!(!value.contains(ANY_BYTE), "{value}");
		}
		let url = said(&[b"balance", b"--url", b"wss://me:password@host/\xff"]);
		let joined = said(&[b"balance", b"--url=wss://me:password@host/\xff"]);
		for url in [url, joined] {
			let begin = "error: the value of --url is not UTF-8: ";
			assert!(url.starts_with(begin), "{url}");
			assert!(!url.contains("password"), "{url}");
		}
		let phrase = said(&[b"balance", b"--key", b"zw\xf6lf eins zwei"]);
		let joined = said(&[b"balance", b"--key=zw\xf6lf eins zwei"]);
		for phrase in [phrase, joined] {
			let begin = "error: the value of --key is not UTF-8: (not shown";
			assert!(phrase.starts_with(begin), "{phrase}");
			assert!(!phrase.contains("eins"), "{phrase}");
		}
		let long = said(&[b"sync", b"a", b"--name", &[0xff; 1000]]);
		assert!(long.chars().count() < 300, "{long}");
	}
}
