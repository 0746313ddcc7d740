// SPDX-License-Identifier: Apache-2.0
//! The output of `isthmus risk` in a terminal, and its plots.

use std::{fs, path::Path, process::Command};

#[test]
fn transcripts() {
	trycmd::TestCases::new().case("tests/risk/*.trycmd");
}

/// Runs the program in a folder and returns its output, or its errors if it fails.
fn risk(folder: &Path, args: &[&str]) -> Result<String, String> {
	let output = Command::new(env!("CARGO_BIN_EXE_isthmus"))
		.arg("risk")
		.args(args)
		.current_dir(folder)
		.output()
		.expect("the program was built with its test");
	let text = |bytes| String::from_utf8(bytes).expect("the program prints text");
	if output.status.success() {
		Ok(text(output.stdout))
	} else {
		Err(text(output.stderr))
	}
}

fn folder() -> tempfile::TempDir {
	tempfile::tempdir().expect("a folder can be made")
}

#[test]
fn a_plot_shows_its_labels() {
	let folder = folder();
	let measured = r#"{"share": 0.3, "depth": 2, "trials": 200, "successes": 88, "node": "any"}"#;
	fs::write(folder.path().join("measured.jsonl"), measured).expect("a file can be written");
	let plain = risk(folder.path(), &["--plot", "-"]).expect("a plot");
	let args = ["--plot", "-", "--depth", "0..9", "--simulate", "600"];
	let full = [&args[..], &["--measured", "measured.jsonl"]].concat();
	let full = risk(folder.path(), &full).expect("a plot");
	for (svg, absent, present) in [
		(&plain, &["simulated", "measured"][..], &["10⁻⁵", "50"][..]),
		(&full, &[], &["simulated", "measured", "10⁻⁶"]),
	] {
		assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
		let texts: Vec<&str> = svg.lines().map(str::trim).collect();
		for word in ["q = 0.1", "q = 0.3", "exact", "the paper's Eq. 3"] {
			let escaped = word.replace('\'', "&apos;");
			let found = texts.iter().any(|&text| text == word || text == escaped);
			assert!(found, "{word} is missing");
		}
		present
			.iter()
			.for_each(|word| assert!(texts.contains(word), "{word}"));
		absent
			.iter()
			.for_each(|word| assert!(!texts.contains(word), "{word}"));
	}
}

#[test]
fn plots_are_reproducible_and_their_format_follows_the_file_name() {
	let folder = folder();
	let path = |name| folder.path().join(name);
	let draw = |name| risk(folder.path(), &["--plot", name, "--simulate", "600"]).expect("a plot");
	let read = |name| fs::read(path(name)).expect("the plot is there");
	for name in ["a.svg", "b.svg", "c.png"] {
		assert_eq!(draw(name), "", "nothing is printed beside a picture");
	}
	assert!(read("a.svg").starts_with(b"<svg "));
	assert_eq!(read("a.svg"), read("b.svg"));
	assert!(read("c.png").starts_with(b"\x89PNG\r\n\x1a\n"));
}

#[test]
fn an_invalid_measurement_is_rejected_and_no_file_is_written() {
	let folder = folder();
	for (line, error) in [
		("{}", "missing field"),
		(
			r#"{"share":0.1,"depth":1,"trials":0,"successes":0}"#,
			"at least one trial",
		),
		(
			r#"{"share":0.1,"depth":1,"trials":2,"successes":3}"#,
			"at least one trial",
		),
	] {
		let text = format!("\n{line}\n");
		fs::write(folder.path().join("measured"), text).expect("a file can be written");
		let args = ["--plot", "odds.svg", "--measured", "measured"];
		let found = risk(folder.path(), &args).expect_err("refused");
		assert!(found.starts_with("error: line 2 of measured: "), "{found}");
		assert!(found.contains(error), "{found}");
		assert!(!folder.path().join("odds.svg").exists());
	}
}
