// SPDX-License-Identifier: Apache-2.0
//! Writes commands that a message advises, so that a user can paste them into a shell: names and paths are the words of the
//! command that they were meant to be, whatever they contain.

use isthmus_sdk::Shown;
use std::{
	ffi::{OsStr, OsString},
	fmt,
	path::Path,
};

/// A command to paste: its options come first, and then its operands, after `--` if one begins like an option.
pub(crate) struct Tip {
	command: String,
	operands: Vec<String>,
	/// Whether an operand begins like an option.
	has_dash: bool,
}

impl Tip {
	/// Begins with words that are written as they are, such as `isthmus remove --unfinished FOLDER`.
	pub(crate) fn new(words: impl fmt::Display) -> Self {
		Self {
			command: words.to_string(),
			operands: Vec::new(),
			has_dash: false,
		}
	}

	/// Adds an option with a value that is not a path.
	pub(crate) fn option(mut self, option: &str, value: &str) -> Self {
		let between = if value.starts_with('-') { '=' } else { ' ' };
		self.command += &format!(" {option}{between}{}", quoted(value));
		self
	}

	/// Adds an option whose value is the path of a file or a folder.
	pub(crate) fn option_path(mut self, option: &str, path: &Path) -> Self {
		self.command += &format!(" {option} {}", quoted_path(path));
		self
	}

	/// Adds an operand that is not a path, such as the name of a record.
	pub(crate) fn operand(mut self, word: &str) -> Self {
		self.has_dash |= word.starts_with('-');
		self.operands.push(quoted(word));
		self
	}

	/// Adds the path of a file or a folder.
	pub(crate) fn path(mut self, path: &Path) -> Self {
		self.operands.push(quoted_path(path));
		self
	}
}

impl fmt::Display for Tip {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.command)?;
		if self.has_dash {
			f.write_str(" --")?;
		}
		self.operands
			.iter()
			.try_for_each(|word| write!(f, " {word}"))
	}
}

/// Returns a path as a shell reads it in one word, which no program takes for an option.
pub(crate) fn quoted_path(path: impl AsRef<Path>) -> String {
	let path = path.as_ref().as_os_str();
	if !path.as_encoded_bytes().starts_with(b"-") {
		return quoted(path);
	}
	let mut here = OsString::from("./");
	here.push(path);
	quoted(here)
}

/// Returns a word as a shell reads it in one word, quoted if necessary. What would steer a terminal, or is not UTF-8, is
/// written as bash, ksh, zsh and POSIX of 2024 read it in `$'…'`. Some of these read all digits that follow `\x`, so a digit
/// after such a byte is written in the same way.
pub(crate) fn quoted(word: impl AsRef<OsStr>) -> String {
	let word = word.as_ref();
	let is_visible = |text: &str| Shown(text).to_string() == text;
	if let Some(text) = word.to_str().filter(|text| is_visible(text)) {
		// The name of a command follows a `=` at the beginning in zsh.
		let is_plain = |c: char| c.is_alphanumeric() || "-_.,:/@%+=".contains(c);
		return match !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain) {
			true => text.to_owned(),
			false => format!("'{}'", text.replace('\'', "'\\''")),
		};
	}
	let (mut quoted, mut after_byte) = (String::from("$'"), false);
	for part in word.as_encoded_bytes().utf8_chunks() {
		for c in part.valid().chars() {
			let text = c.to_string();
			let is_digit = after_byte && c.is_ascii_hexdigit();
			after_byte = is_digit || !is_visible(&text);
			match c {
				_ if after_byte => quoted += &escaped(text.as_bytes()),
				'\'' | '\\' => quoted.extend(['\\', c]),
				_ => quoted.push(c),
			}
		}
		after_byte |= !part.invalid().is_empty();
		quoted += &escaped(part.invalid());
	}
	quoted + "'"
}

/// Writes what is known in place of the placeholders of a hint, such as OWNER. A value that begins like an option could
/// not be pasted where its placeholder is.
pub(crate) fn filled(hint: &str, known: &[(&str, String)]) -> String {
	let is_part = |c: char| c.is_alphanumeric() || c == '_';
	let (mut text, mut rest) = (String::new(), hint);
	while let Some(first) = rest.chars().next() {
		let end = rest.find(|c: char| is_part(c) != is_part(first));
		let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
		let value = known
			.iter()
			.find(|(name, value)| *name == word && !begins_with_dash(value));
		text += value.map_or(word, |(_, value)| value.as_str());
		rest = after;
	}
	text
}

/// Returns whether a word, as it is quoted, begins like an option.
fn begins_with_dash(quoted: &str) -> bool {
	quoted.trim_start_matches(['$', '\'']).starts_with('-')
}

/// Returns bytes as a shell reads them in `$'…'`.
fn escaped(bytes: &[u8]) -> String {
	bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Words that shells and programs would take for something else.
	const WORDS: [&str; 16] = [
		"marks.csv",
		"my marks.csv",
		"it's",
		"\"a\"",
		"$(x)",
		"a`b`;c&d|e",
		"~",
		"*?[a]{b,c}!",
		"",
		"-y",
		"--all",
		"-a b",
		"=x",
		"a\nb\tc",
		"\u{1b}[2J\\'",
		"\u{202e}é",
	];

	/// Returns the words that a shell makes of a command.
	#[cfg(unix)]
	fn words(command: &str) -> Vec<Vec<u8>> {
		let script = format!("isthmus() {{ printf '%s\\0' \"$@\"; }}\n{command}");
		let read = std::process::Command::new("bash")
			.args(["-c", &script])
			.output()
			.unwrap();
		assert!(read.status.success(), "{command}: {read:?}");
		let words = read.stdout.strip_suffix(b"\0").unwrap_or_default();
		words.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
	}

	#[test]
	fn a_name_in_a_hint_can_be_pasted() {
		for (word, expected) in [
			("marks.csv", "marks.csv"),
			("my marks.csv", "'my marks.csv'"),
			("it's", "'it'\\''s'"),
			("$(x)", "'$(x)'"),
			("", "''"),
			("=x", "'=x'"),
			("a\nb", "$'a\\x0a\\x62'"),
			("a\ntime", "$'a\\x0atime'"),
			("\nabg", "$'\\x0a\\x61\\x62g'"),
			("\u{1b}'\\", "$'\\x1b\\'\\\\'"),
		] {
			assert_eq!(quoted(word), expected);
			let tip = Tip::new("isthmus remove").operand(word);
			assert_eq!(tip.to_string(), format!("isthmus remove {expected}"));
		}
		for (word, expected) in [("-x", "-- -x"), ("--a b", "-- '--a b'")] {
			let tip = Tip::new("isthmus remove").operand(word);
			assert_eq!(tip.to_string(), format!("isthmus remove {expected}"));
		}
	}

	#[test]
	fn options_come_before_operands() {
		let tip = Tip::new("isthmus remove")
			.operand("-y")
			.option_path("--unfinished", Path::new("-my photos"))
			.option("--reason", "-1 leaf");
		assert_eq!(
			tip.to_string(),
			"isthmus remove --unfinished './-my photos' --reason='-1 leaf' -- -y"
		);
		let tip = Tip::new("mkdir -p").path(Path::new("-x/y"));
		assert_eq!(tip.to_string(), "mkdir -p ./-x/y");
	}

	#[cfg(unix)]
	#[test]
	fn a_shell_reads_the_words_that_were_meant() {
		use std::os::unix::ffi::OsStrExt;
		for word in WORDS {
			let tip = Tip::new("isthmus a")
				.option("--b", word)
				.option_path("--c", Path::new(word))
				.operand(word)
				.path(Path::new(word));
			let path = match word.starts_with('-') {
				true => format!("./{word}"),
				false => word.to_owned(),
			};
			let mut expected = vec!["a".to_owned()];
			match word.starts_with('-') {
				true => expected.push(format!("--b={word}")),
				false => expected.extend(["--b".to_owned(), word.to_owned()]),
			}
			expected.extend(["--c".to_owned(), path.clone()]);
			expected.extend(word.starts_with('-').then(|| "--".to_owned()));
			expected.extend([word.to_owned(), path]);
			let expected: Vec<_> = expected.into_iter().map(String::into_bytes).collect();
			assert_eq!(words(&tip.to_string()), expected, "{tip}");
		}
		let bytes = b"-\xff\xfea'\xc3\xa9";
		let path = Path::new(OsStr::from_bytes(bytes));
		let tip = Tip::new("isthmus").path(path);
		assert_eq!(words(&tip.to_string()), [[b"./", &bytes[..]].concat()]);
	}

	#[test]
	fn a_placeholder_is_a_word_of_its_own() {
		let known = [("OWNER", "5F".to_owned()), ("NAME", quoted("my photos"))];
		for (hint, expected) in [
			(
				"list: isthmus list files NAME --owner OWNER",
				"list: isthmus list files 'my photos' --owner 5F",
			),
			("`--owner OWNER`, é NAMES", "`--owner 5F`, é NAMES"),
			("$ISTHMUS_OWNER FROM..TO", "$ISTHMUS_OWNER FROM..TO"),
			("", ""),
		] {
			assert_eq!(filled(hint, &known), expected);
		}
		for option in ["-y", "-my photos", "-\n"] {
			assert_eq!(filled("NAME", &[("NAME", quoted(option))]), "NAME");
		}
	}

	#[test]
	fn nothing_steers_a_terminal() {
		for word in WORDS {
			assert_eq!(Shown(&quoted(word)).to_string(), quoted(word));
		}
	}
}
