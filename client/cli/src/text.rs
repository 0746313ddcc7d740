// SPDX-License-Identifier: Apache-2.0
//! Reads and writes values in the form that people use: accounts, record names, amounts, sizes, ranges and
//! dates.
//!
//! The parsing functions are used by `clap`, which puts the option and the value before their error message:
//! `invalid value 'x' for '--price <IST>': expected …`.

use crate::tip::quoted;
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	conditions::{Expected, Time, LATEST},
	names, AccountId, Balance, BlockNumber, Client, Condition, Error as SdkError, Identity,
	NameError, Names, PurposeCode, RecordKey, Scope, Seconds, Shown, SyntaxError, DECIMALS,
	LEAVES_PER_EPOCH, UNIT,
};
use serde::{Serialize, Serializer};
use std::{
	fmt,
	path::{Component, Path, PathBuf},
};

/// Reads an account: an address, or a development account such as //Alice. Spaces around it, as behind a comma, are left out.
pub(crate) fn account(text: &str) -> Result<AccountId, String> {
	let text = text.trim();
	isthmus_sdk::parse_account(text).map_err(|error| match Path::new(text).is_file() {
		true => format!(
			"{error}; this is a file: if it is a key file, `isthmus key inspect` shows its address"
		),
		false if is_like_an_address(text) => {
			format!("{error}; a character of this one is missing or wrong")
		}
		false if is_like_a_public_key(text) => format!(
			"{error}; if these are the digits of a public key, `isthmus-node key inspect --public` shows its address"
		),
		false => error.to_string(),
	})
}

/// Returns whether a text may be an address that was copied with a mistake.
fn is_like_an_address(text: &str) -> bool {
	(44..=52).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Returns whether a text may be a public key, as other programs show it.
fn is_like_a_public_key(text: &str) -> bool {
	let small = text.strip_prefix("0x");
	let digits = small.or(text.strip_prefix("0X")).unwrap_or(text);
	digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What people call a record: a name, which its key may hide, or the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
	/// A name, as [`isthmus_sdk::record_key`] makes it.
	Name(RecordKey),
	/// A key in hexadecimal digits.
	Key(RecordKey),
}

impl Called {
	/// Returns what to call the record in messages.
	pub(crate) fn shown(self) -> Key {
		let (Self::Name(key) | Self::Key(key)) = self;
		Key(key)
	}

	/// Returns a text that calls the record with this key what people call it.
	pub(crate) fn in_text(self, text: &str, key: &RecordKey) -> String {
		text.replace(&isthmus_sdk::to_hex(&key.0), &self.shown().to_string())
	}

	/// Returns the keys that the record of an account may have, with the one that hides its name first.
	pub(crate) fn keys(self, names: &Names) -> Vec<RecordKey> {
		match self {
			Self::Name(name) => vec![names.key(&name), name],
			Self::Key(key) => vec![key],
		}
	}

	/// Returns the key of an owner's record, as far as the reader can find it.
	pub(crate) async fn find(
		self,
		client: &Client,
		reader: &Identity,
		owner: &AccountId,
	) -> Result<RecordKey, SdkError> {
		match self {
			Self::Name(name) => names::find(client, reader, owner, name).await,
			Self::Key(key) => Ok(key),
		}
	}
}

/// Reads what a record is called: a name of at most 32 bytes, or 0x and 64 hexadecimal digits.
pub(crate) fn called(text: &str) -> Result<Called, String> {
	if let Some(key) = isthmus_sdk::from_typed_hex(text) {
		return Ok(Called::Key(key.into()));
	}
	isthmus_sdk::record_key(text)
		.map(Called::Name)
		.map_err(|error| {
			let expected = "expected a name of at most 32 bytes, or 0x and 64 hexadecimal digits";
			match error {
				NameError::Control(_) => format!("{expected}; a name has no control characters"),
				_ => expected.to_owned(),
			}
		})
}

/// Reads the path of a file in a stored folder. What a shell completes, such as `./a`, `a//b` or `a/`, is the path that it means.
pub(crate) fn path_in_folder(text: &str) -> Result<String, String> {
	let names = || text.split('/').filter(|name| !matches!(*name, "" | "."));
	let exact = names().collect::<Vec<_>>().join("/");
	let expected = "expected the path of a file in the folder, such as june/beach.jpg";
	match (text.starts_with('/'), names().any(|name| name == "..")) {
		(_, true) => Err(format!("{expected}, without `..`")),
		(true, false) if !exact.is_empty() => Err(format!(
			"{expected}, which does not begin with `/`: did you mean {}?",
			quoted(&exact)
		)),
		_ if exact.is_empty() => Err(expected.to_owned()),
		_ => Ok(exact),
	}
}

/// Returns the name of the file that a record is fetched to by default: the record's name, if that names a file
/// in the current folder.
pub(crate) fn file_name(called: Called) -> Option<PathBuf> {
	let path = PathBuf::from(isthmus_sdk::exact_name(&called.shown().0)?);
	let mut parts = path.components();
	let is_name = matches!(parts.next(), Some(Component::Normal(name)) if name == path.as_os_str());
	(is_name && parts.next().is_none() && !path.to_string_lossy().contains('\\')).then_some(path)
}

/// Returns text of the user, the chain or a store in one line that does not steer a terminal: control characters, also line
/// ends, and characters that hide or reverse text are escaped.
pub(crate) fn shown(text: impl fmt::Display) -> String {
	Shown(&text.to_string()).to_string()
}

/// Returns a path as [`shown`] does.
pub(crate) fn path(path: &Path) -> String {
	shown(path.shown())
}

/// Writes a path in JSON, also one that is not UTF-8: the report of what was done must not fail because of that.
pub(crate) fn json_path<S: Serializer>(
	path: &Option<PathBuf>,
	serializer: S,
) -> Result<S::Ok, S::Error> {
	let text = path.as_ref().map(|path| path.shown().to_string());
	text.serialize(serializer)
}

/// Returns text that does not steer a terminal, with the same line ends: what others wrote, and may contain some, is escaped
/// where the text is made.
pub(crate) fn visible_text(text: &str) -> String {
	let lines: Vec<String> = text.split('\n').map(shown).collect();
	lines.join("\n")
}

/// Returns the same JSON with escapes in place of characters that steer a terminal, or that hide or reverse text: JSON itself
/// asks for escapes of the first 32 only.
pub(crate) fn visible_json(json: &str) -> String {
	let mut visible = String::with_capacity(json.len());
	for character in json.chars() {
		let is_plain = matches!(character, ' '..='~' | '\n');
		match is_plain || shown(character) == character.to_string() {
			true => visible.push(character),
			// Such characters are in strings only.
			false => {
				let mut units = [0; 2];
				let units = character.encode_utf16(&mut units).iter();
				visible.extend(units.map(|unit| format!("\\u{unit:04x}")));
			}
		}
	}
	visible
}

/// A record's key. Its text is the name that it was made from, or hexadecimal; its JSON is hexadecimal.
#[derive(Clone, Copy)]
pub(crate) struct Key(pub(crate) RecordKey);

impl fmt::Display for Key {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&isthmus_sdk::key_name(&self.0))
	}
}

impl Serialize for Key {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.serialize_str(&isthmus_sdk::to_hex(&self.0 .0))
	}
}

/// Reads an amount in IST, with at most 12 decimals.
pub(crate) fn amount(text: &str) -> Result<Balance, String> {
	let is_whole_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
	parse_amount(text).ok_or_else(|| match is_whole_number {
		true => "the amount is too large".to_owned(),
		false => {
			format!("expected an amount such as 2 or 0.25, with at most {DECIMALS} decimals")
		}
	})
}

/// Reads an amount. Returns `None` for text that is none, and for one that is too large.
fn parse_amount(text: &str) -> Option<Balance> {
	let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
	let mut characters = whole.bytes().chain(decimals.bytes());
	if decimals.is_empty() || decimals.len() > DECIMALS || !characters.all(|c| c.is_ascii_digit()) {
		return None;
	}
	let whole: Balance = whole.parse().ok()?;
	let decimals: Balance = format!("{decimals:0<DECIMALS$}").parse().ok()?;
	whole.checked_mul(UNIT)?.checked_add(decimals)
}

/// An amount. Its text is in IST; its JSON is a string with the number of smallest units, which may be too
/// large for a number in JSON.
#[derive(Clone, Copy)]
pub(crate) struct Amount(pub(crate) Balance);

impl fmt::Display for Amount {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&isthmus_sdk::ist(self.0))
	}
}

impl Serialize for Amount {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(&self.0)
	}
}

/// Returns a number of bytes in a suitable unit, for example `2.5 MB`.
pub(crate) fn bytes(count: u64) -> String {
	// What would be rounded to 1000 of a unit is in the next one.
	match count {
		0..1_000 => format!("{count} B"),
		1_000..999_950 => format!("{:.1} kB", count as f64 / 1e3),
		999_950..999_950_000 => format!("{:.1} MB", count as f64 / 1e6),
		_ => format!("{:.2} GB", count as f64 / 1e9),
	}
}

/// Returns a count with its noun, for example `1 file` or `2 files`.
pub(crate) fn count(count: impl Into<u64>, noun: &str) -> String {
	match count.into() {
		1 => format!("1 {noun}"),
		count => match noun {
			"leaf" => format!("{count} leaves"),
			noun => format!("{count} {noun}s"),
		},
	}
}

/// The leaves that a request or a grant is for.
#[derive(Clone, Serialize)]
pub(crate) struct Range {
	/// What the card of the dataset calls the leaves, where it was looked for.
	#[serde(skip_serializing_if = "Option::is_none")]
	called: Option<String>,
	dataset: u32,
	epoch: u32,
	from: u64,
	to: u64,
}

impl Range {
	/// Adds what the card of the dataset calls the leaves.
	pub(crate) fn called(self, called: Option<String>) -> Self {
		Self { called, ..self }
	}
}

impl From<&Scope> for Range {
	fn from(scope: &Scope) -> Self {
		Self {
			called: None,
			dataset: scope.dataset,
			epoch: scope.epoch,
			from: scope.from,
			to: scope.to,
		}
	}
}

impl fmt::Display for Range {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			called,
			dataset,
			epoch,
			from,
			to,
		} = self;
		if let Some(called) = called {
			let called = shown(called);
			return write!(
				f,
				"{called} (leaves {from}..{to}) of dataset {dataset}, epoch {epoch}"
			);
		}
		match (*from, *to >= LEAVES_PER_EPOCH) {
			(0, true) => f.write_str("all leaves")?,
			(from, true) => write!(f, "leaves {from} and up")?,
			(from, false) => write!(f, "leaves {from}..{to}")?,
		}
		write!(f, " of dataset {dataset}, epoch {epoch}")
	}
}

/// Returns when a grant ends: at a block, or at a date if that comes first.
pub(crate) fn end(expiry: BlockNumber, until: Option<Seconds>) -> String {
	match until {
		Some(until) => format!(
			"until block {expiry} or {}, whichever comes first",
			date(until)
		),
		None => format!("until block {expiry}"),
	}
}

/// Reads a date, which begins at 00:00 UTC, or a time, as conditions do. Returns the seconds since 1970.
pub(crate) fn time(text: &str) -> Result<Seconds, Expected> {
	text.parse().map(|Time(seconds)| seconds)
}

/// How many hexadecimal digits of a request's digest people compare. Who asks can try purposes until eight digits are those of
/// another request, but not until 16 are.
const DIGEST_DIGITS: usize = 16;

/// Returns as much of a digest as people compare.
pub(crate) fn short_digest(digest: &str) -> &str {
	let digits = digest.strip_prefix("0x").unwrap_or(digest);
	digits.get(..DIGEST_DIGITS).unwrap_or(digits)
}

/// Reads the beginning of a digest: its hexadecimal digits.
pub(crate) fn digest_start(text: &str) -> Result<String, String> {
	let digits = text.trim().to_lowercase();
	let digits = digits.strip_prefix("0x").unwrap_or(&digits);
	let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
	match is_hex && (DIGEST_DIGITS..=64).contains(&digits.len()) {
		true => Ok(digits.to_owned()),
		false => Err(format!(
			"expected {DIGEST_DIGITS} to 64 hexadecimal digits, as isthmus requests prints them"
		)),
	}
}

/// Reads a condition. An error shows the place in the text.
pub(crate) fn condition(text: &str) -> Result<Condition, String> {
	text.parse().map_err(|error: SyntaxError| {
		let marked = error.marked(text).replace('\n', "\n  ");
		format!("{}\n\n  {marked}", error.expected)
	})
}

/// Returns the condition that requests have to meet, if any, after a comma.
pub(crate) fn only_if(condition: Option<&impl fmt::Display>) -> String {
	condition.map_or_else(String::new, |condition| format!(", if {condition}"))
}

/// Returns the condition under which a grant is good, if any, after a comma.
pub(crate) fn good_while(condition: Option<&impl fmt::Display>) -> String {
	condition.map_or_else(String::new, |condition| format!(", while {condition}"))
}

/// Returns a date in UTC, with its time unless that is midnight, as [`time`] reads it.
pub(crate) fn date(seconds: Seconds) -> String {
	match seconds {
		0..=LATEST => Time(seconds).to_string(),
		_ => "a date after the year 9999".to_owned(),
	}
}

/// Returns how a purpose's code is written behind its words; nothing for one that says nothing.
pub(crate) fn stated(code: PurposeCode) -> String {
	match code {
		PurposeCode::Unspecified => String::new(),
		code => format!(" ({code})"),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn json_does_not_steer_a_terminal_and_stays_the_same() {
		let texts = [
			"\u{1b}[2J",
			"\u{9b}2J\u{7f}",
			"\u{202e}loohcs",
			"\u{e0001}",
			"äé\n",
		];
		let json = serde_json::to_string(&texts).unwrap();
		let visible = visible_json(&json);
		assert!(
			!visible.contains(|c: char| c.is_control() || "\u{202e}\u{e0001}".contains(c)),
			"{visible}"
		);
		assert!(visible.contains("äé"));
		assert_eq!(
			serde_json::from_str::<Vec<String>>(&visible).unwrap(),
			texts
		);
		assert_eq!(visible_json("{\"a\":1}\n{}"), "{\"a\":1}\n{}");
	}

	#[test]
	fn text_does_not_steer_a_terminal() {
		let steered = "a\u{1b}[2J\u{9b}\nb\u{202e}";
		assert_eq!(visible_text(steered), "a\\u{1b}[2J\\u{9b}\nb\\u{202e}");
	}

	#[cfg(unix)]
	#[test]
	fn a_path_that_is_not_utf8_is_in_json_all_the_same() {
		use std::os::unix::ffi::OsStrExt;
		#[derive(Serialize)]
		struct At(#[serde(serialize_with = "json_path")] Option<PathBuf>);
		let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xff/key"));
		let json = |path: Option<&Path>| serde_json::to_string(&At(path.map(Into::into)));
		assert_eq!(json(Some(path)).unwrap(), r#""a\\xff/key""#);
		assert_eq!(json(None).unwrap(), "null");
	}

	#[test]
	fn a_digest_is_named_by_enough_of_its_digits() {
		let digest = format!("0x{}", "0123456789abcdef".repeat(4));
		assert_eq!(short_digest(&digest), "0123456789abcdef");
		assert_eq!(
			digest_start(short_digest(&digest)),
			Ok("0123456789abcdef".into())
		);
		assert_eq!(
			digest_start(&digest.to_uppercase().replace("0X", "0x")),
			Ok(digest[2..].into())
		);
		for bad in [
			"",
			"0x",
			"0123456789abcde",
			"0123456789abcdeg",
			&digest.repeat(2),
		] {
			assert!(digest_start(bad).is_err(), "{bad}");
		}
	}

	#[test]
	fn amounts_are_read_as_they_are_written() {
		assert_eq!(amount("2"), Ok(2 * UNIT));
		assert_eq!(amount("0.25"), Ok(UNIT / 4));
		assert_eq!(amount("0.000000000001"), Ok(1));
		for text in [
			"",
			".5",
			"1.",
			"-1",
			"1.0000000000001",
			"x",
			"1e3",
			"999999999999999999999999999",
		] {
			assert!(amount(text).is_err(), "{text}");
		}
		let too_large = amount("999999999999999999999999999").unwrap_err();
		assert_eq!(too_large, "the amount is too large");
		assert_eq!(Amount(2 * UNIT).to_string(), "2 IST");
		assert_eq!(Amount(UNIT / 4).to_string(), "0.25 IST");
		assert_eq!(serde_json::to_string(&Amount(7)).unwrap(), "\"7\"");
	}

	#[test]
	fn an_account_is_read_as_it_was_copied() {
		let address = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
		let bob = account(address).unwrap();
		assert_eq!(account("//Bob"), Ok(bob));
		for text in [format!(" {address}\n"), " //Bob".into()] {
			assert_eq!(account(&text), Ok(bob));
		}
		for text in [
			address.replace("FHne", "FHnE"),
			address[..46].to_owned(),
			format!("{address}y"),
		] {
			let refused = account(&text).unwrap_err();
			assert!(refused.ends_with("is missing or wrong"), "{refused}");
		}
		let file = tempfile::NamedTempFile::new().unwrap();
		for prefix in ["", "0x"] {
			let refused = account(&format!("{prefix}{}", "8e".repeat(32))).unwrap_err();
			assert!(refused.contains("key inspect --public"), "{refused}");
		}
		let refused = account(&file.path().display().to_string()).unwrap_err();
		assert!(refused.contains("isthmus key inspect"), "{refused}");
		for text in ["", "Bob", "0x8eaf04151687736326c9fea17e25fc5287613693"] {
			let refused = account(text).unwrap_err();
			assert!(refused.ends_with("such as //Alice"), "{refused}");
		}
	}

	#[test]
	fn keys_are_shown_as_they_were_named() {
		let shown = |text: &str| called(text).unwrap().shown().to_string();
		assert_eq!(shown("2025-03"), "2025-03");
		let hex = format!("0x{}", "ab".repeat(32));
		assert_eq!(shown(&hex), hex);
		assert_eq!(shown("my marks.csv"), "my marks.csv");
		// Only 64 digits are a number: everything shorter is a name.
		assert_eq!(shown("0xab"), "0xab");
		assert!(shown("\u{202e}b").starts_with("0x"));
		for name in [
			"",
			"a\nb",
			"a\0",
			&"x".repeat(33),
			&format!("0x{}", "a".repeat(63)),
		] {
			assert!(called(name).is_err(), "{name:?}");
		}
		let json = serde_json::to_string(&called("a").unwrap().shown()).unwrap();
		assert_eq!(json, format!("\"0x61{}\"", "0".repeat(62)));
	}

	#[test]
	fn a_path_in_a_folder_is_taken_as_it_is_meant() {
		for (text, path) in [
			("a", "a"),
			("./a", "a"),
			("a//b", "a/b"),
			("./a/./b/", "a/b"),
			(".hidden", ".hidden"),
			("a b/…", "a b/…"),
			("-", "-"),
		] {
			assert_eq!(path_in_folder(text).as_deref(), Ok(path));
		}
		for (text, words) in [
			("", "such as"),
			("/", "such as"),
			(".", "such as"),
			("a/../b", "without `..`"),
			("/..", "without `..`"),
			("/a/b", "did you mean a/b?"),
			("//my files/", "did you mean 'my files'?"),
		] {
			let refused = path_in_folder(text).unwrap_err();
			assert!(refused.contains(words), "{text:?}: {refused}");
		}
	}

	#[test]
	fn a_record_is_fetched_to_a_file_of_its_name_in_the_current_folder() {
		let file = |name: &str| file_name(called(name).unwrap());
		for name in [
			"marks.csv",
			"my marks.csv",
			"0xab",
			"a ",
			"…",
			"\u{202e}b",
			"-",
		] {
			assert_eq!(file(name), Some(name.into()));
		}
		for name in [
			".",
			"..",
			"a/b",
			"/etc",
			"a/",
			"a\\b",
			&format!("0x{}", "ff".repeat(32)),
		] {
			assert_eq!(file(name), None, "{name:?}");
		}
	}

	#[test]
	fn dates_are_those_of_the_calendar() {
		// Computed with `date -u -d DAY +%s`.
		for (text, seconds) in [
			("1970-01-01", 0),
			("2000-02-29", 951_782_400),
			("2000-03-01", 951_868_800),
			("2027-01-31", 1_801_353_600),
			("2200-01-01", 7_258_118_400),
			("9999-12-31", 253_402_214_400),
			("2100-02-28T23:59:59Z", 4_107_542_399),
			("9999-12-31T23:59:59Z", 253_402_300_799),
		] {
			assert_eq!(time(text), Ok(seconds));
			assert_eq!(date(seconds), text);
		}
		assert_eq!(time("2100-02-28T23:59Z"), Ok(4_107_542_340));
		assert_eq!(time(" 2027-01-31"), Err(Expected::Time));
		for seconds in [253_402_300_800, u64::MAX] {
			assert_eq!(date(seconds), "a date after the year 9999");
		}
		for text in [
			"2027-02-29",
			"2027-13-01",
			"2027-00-01",
			"2027-01-00",
			"1969-12-31",
			"2027-1",
			"2027-1-1",
			"+2027-01-31",
			"2027-01-31T10:00",
			"2027-01-31 10:00",
			"x",
		] {
			// A condition has the same dates.
			let condition = format!("before({text})").parse::<Condition>();
			assert_eq!(time(text), Err(Expected::Time), "{text}");
			assert!(condition.is_err(), "{text}");
		}
	}

	#[test]
	fn a_range_to_the_last_leaf_is_said_in_words() {
		let shown = |from, to| {
			let (dataset, epoch) = (3, 4);
			Range::from(&Scope {
				dataset,
				epoch,
				from,
				to,
			})
			.to_string()
		};
		assert_eq!(shown(0, 9), "leaves 0..9 of dataset 3, epoch 4");
		assert_eq!(
			shown(0, LEAVES_PER_EPOCH),
			"all leaves of dataset 3, epoch 4"
		);
		assert_eq!(
			shown(5, LEAVES_PER_EPOCH),
			"leaves 5 and up of dataset 3, epoch 4"
		);
	}

	#[test]
	fn a_range_is_told_by_what_a_card_calls_it() {
		let range = Range::from(&Scope {
			dataset: 3,
			epoch: 4,
			from: 2,
			to: 5,
		});
		let json = |range: &Range| serde_json::to_value(range).unwrap();
		assert_eq!(json(&range).get("called"), None);
		let range = range.called(Some("a..\u{1b}[2J".into()));
		let words = "a..\\u{1b}[2J (leaves 2..5) of dataset 3, epoch 4";
		assert_eq!(range.to_string(), words);
		assert_eq!(json(&range)["called"], "a..\u{1b}[2J");
	}

	#[test]
	fn a_grant_ends_at_a_block_or_a_date() {
		assert_eq!(end(7, None), "until block 7");
		assert_eq!(
			end(7, Some(0)),
			"until block 7 or 1970-01-01, whichever comes first"
		);
	}

	#[test]
	fn sizes_and_counts_are_readable() {
		assert_eq!(bytes(999), "999 B");
		assert_eq!(bytes(300_077), "300.1 kB");
		assert_eq!(bytes(999_949), "999.9 kB");
		assert_eq!(bytes(999_950), "1.0 MB");
		assert_eq!(bytes(999_999_999), "1.00 GB");
		assert_eq!(bytes(2_500_000_000), "2.50 GB");
		assert_eq!(count(1u32, "file"), "1 file");
		assert_eq!(count(0u32, "file"), "0 files");
	}
}
