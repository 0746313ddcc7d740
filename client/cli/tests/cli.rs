// SPDX-License-Identifier: Apache-2.0
//! Transcripts of `isthmus` in a terminal that need no chain. Tests that need a chain are in
//! `scripts/tests/cli.test.mjs`.
//!
//! `TRYCMD=overwrite cargo test -p isthmus-cli --test cli` rewrites the transcripts: review the diff.

use std::{collections::BTreeSet, fs, process::Command};

#[test]
fn transcripts() {
	trycmd::TestCases::new()
		.case("tests/cli/*.trycmd")
		.case("tests/help/*.trycmd")
		.env("COLUMNS", "100")
		.env("ISTHMUS_KEY", "")
		.env("ISTHMUS_URL", "ws://127.0.0.1:1")
		.env("ISTHMUS_PASSPHRASE", "three plain words");
}

/// Runs the program, which has to succeed, and returns its output.
fn isthmus(args: &[&str]) -> String {
	let output = Command::new(env!("CARGO_BIN_EXE_isthmus"))
		.args(args)
		.output()
		.expect("the program was built with its test");
	assert!(output.status.success(), "isthmus {args:?}: {output:?}");
	String::from_utf8(output.stdout).expect("the program prints text")
}

/// Returns the names of all commands, from the help.
fn commands() -> Vec<String> {
	let help = isthmus(&["--help"]);
	let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
	let names = listed
		.take_while(|line| !line.is_empty())
		.filter(|line| line.starts_with("  ") && !line.starts_with("   "))
		.filter_map(|line| line.split_whitespace().next());
	names
		.filter(|name| *name != "help")
		.map(str::to_owned)
		.collect()
}

#[test]
fn every_command_has_a_transcript_of_its_help() {
	let folder = fs::read_dir("tests/help").expect("the transcripts are there");
	let files: BTreeSet<String> = folder
		.map(|entry| entry.expect("it can be listed").path())
		.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
		.collect();
	assert!(commands().len() >= 20);
	for command in commands() {
		assert!(files.contains(&command), "tests/help/{command}.trycmd");
	}
}

#[test]
fn completions_know_every_command() {
	for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
		let script = isthmus(&["completions", shell]);
		for command in commands() {
			assert!(script.contains(&command), "{shell}: {command}");
		}
	}
}

#[test]
fn every_command_has_a_manual_page() {
	let folder = tempfile::tempdir().expect("a folder can be made");
	let man = folder.path().join("man1");
	isthmus(&["man", "--output", man.to_str().expect("its name is UTF-8")]);
	let page = |name: &str| fs::read_to_string(man.join(name)).expect(name);
	let main = page("isthmus.1");
	assert_eq!(isthmus(&["man"]), main);
	for command in commands() {
		assert!(main.contains(&command), "{command}");
		let page = page(&format!("isthmus-{command}.1"));
		assert!(page.contains(".SH NAME") && page.contains(&command));
	}
	assert!(page("isthmus-key-generate.1").contains("passphrase"));
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_an_error() {
	for args in [
		&["risk"][..],
		&["risk", "--json"],
		&["man"],
		&["completions", "bash"],
	] {
		let full = fs::File::options().write(true).open("/dev/full");
		let output = Command::new(env!("CARGO_BIN_EXE_isthmus"))
			.args(args)
			.stdout(full.expect("Linux has it"))
			.output()
			.expect("the program was built with its test");
		assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
		let error = String::from_utf8_lossy(&output.stderr);
		assert!(error.contains("cannot write to stdout: "), "{error}");
	}
}

/// As GNU's programs do it.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_closed_or_cannot_be_written_to_is_an_error() {
	for redirection in [">&-", "1< /dev/null"] {
		for args in [
			"risk",
			"risk --json",
			"man",
			"completions bash",
			"--version",
			"--help",
			"key --help",
			"help store",
		] {
			let output = Command::new("sh")
				.arg("-c")
				.arg(format!("exec \"$0\" {args} {redirection}"))
				.arg(env!("CARGO_BIN_EXE_isthmus"))
				.output()
				.expect("there is a shell");
			assert_eq!(output.status.code(), Some(1), "{args}: {output:?}");
			let error = String::from_utf8_lossy(&output.stderr);
			assert!(
				error.contains("cannot write to stdout: it is closed"),
				"{error}"
			);
		}
	}
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_read_enough_is_not_an_error() {
	for args in [&["risk"][..], &["man"], &["completions", "bash"]] {
		let (reader, writer) = std::io::pipe().expect("a pipe can be made");
		drop(reader);
		let output = Command::new(env!("CARGO_BIN_EXE_isthmus"))
			.args(args)
			.stdout(writer)
			.output()
			.expect("the program was built with its test");
		assert!(output.status.success(), "{args:?}: {output:?}");
		assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
	}
}

/// The shell passes on whatever bytes a file's name has.
#[cfg(unix)]
#[test]
fn arguments_that_are_not_utf8_are_refused_or_taken_without_a_panic() {
	use std::os::unix::ffi::OsStrExt;
	for args in [
		&[&b"store"[..], b"q1", b"--name", b"bad\xff"][..],
		&[b"register", b"x\xe9"],
		&[b"balance", b"--key", b"k\xff"],
		&[b"status", b"--url", b"ws://\xff"],
		&[
			b"request",
			b"//Bob",
			b"--leaves",
			b"0..1",
			b"--purpose",
			b"\xe9tude",
		],
		&[b"status", b"--json", b"--url", b"ws://\xff"],
	] {
		let output = Command::new(env!("CARGO_BIN_EXE_isthmus"))
			.args(args.iter().map(|arg| std::ffi::OsStr::from_bytes(arg)))
			.output()
			.expect("the program was built with its test");
		let error = String::from_utf8_lossy(&output.stderr);
		assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
		assert!(!error.contains("panicked"), "{args:?}: {error}");
	}
}

/// The program ends, although the stream does not.
#[cfg(target_os = "linux")]
#[test]
fn a_secret_that_has_no_end_is_refused() {
	let folder = tempfile::tempdir().expect("a folder can be made");
	for command in ["restore", "join", "import"] {
		let zeros = fs::File::open("/dev/zero").expect("Linux has it");
		let output = Command::new(env!("CARGO_BIN_EXE_isthmus"))
			.args(["key", command, "new.key"])
			.current_dir(folder.path())
			.env("ISTHMUS_PASSPHRASE", "three plain words")
			.stdin(zeros)
			.output()
			.expect("the program was built with its test");
		let error = String::from_utf8_lossy(&output.stderr);
		assert_eq!(output.status.code(), Some(2), "{command}: {error}");
		assert!(
			error.contains("it has nothing but zeros"),
			"{command}: {error}"
		);
	}
}
