// SPDX-License-Identifier: Apache-2.0
//! The file that says what `isthmus feed` asks, how often, and what it reports.

use crate::{error::Error, input::read_at_most};
use isthmus_sdk::conditions::{Age, Name, MAX_SCALE};
use isthmus_sdk::envelope::paths::ShowPath;
use serde::{de, Deserialize, Deserializer};
use std::{
	collections::BTreeSet,
	path::{Path, PathBuf},
	str::FromStr,
	time::Duration,
};
use url::Url;

/// The most redirects that a file may allow.
const MAX_REDIRECTS: u8 = 5;
/// The longest response that a file may allow, in bytes.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The longest time that a file may allow for a response.
const MAX_TIMEOUT: u32 = 300;

/// The contents of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
	/// The source to report for.
	#[serde(deserialize_with = "parsed")]
	pub(super) source: Name,
	/// How long to wait between two requests to the same endpoint.
	#[serde(default = "every", deserialize_with = "age")]
	pub(super) every: Age,
	/// After how long to report a value again that has not changed; half of the source's freshness by default.
	#[serde(default, deserialize_with = "some_age")]
	pub(super) again: Option<Age>,
	/// How long a response may take, with its redirects.
	#[serde(default = "timeout", deserialize_with = "age")]
	timeout: Age,
	/// How long a response may be, in bytes.
	#[serde(default = "max_bytes")]
	pub(super) max_bytes: usize,
	/// How many redirects to follow, to HTTPS only.
	#[serde(default)]
	pub(super) redirects: u8,
	/// The certificates of the authorities to trust instead of the system's, in PEM.
	pub(super) ca: Option<PathBuf>,
	/// The topics.
	#[serde(rename = "topic")]
	pub(super) topics: Vec<Topic>,
}

/// A topic to report about, and where to find its value.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Topic {
	/// Its name.
	#[serde(deserialize_with = "parsed")]
	pub(super) name: Name,
	/// The endpoint.
	#[serde(deserialize_with = "https")]
	pub(super) url: Url,
	/// Where the value is in the response: a JSON pointer (RFC 6901).
	#[serde(deserialize_with = "pointer")]
	pub(super) pointer: String,
	/// The value's type.
	#[serde(rename = "type")]
	pub(super) kind: Kind,
	/// How many digits after the point a decimal is rounded to.
	#[serde(default)]
	pub(super) decimals: Option<u8>,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
	/// A number without digits after the point.
	Integer,
	/// A number.
	Decimal,
	/// A string.
	Text,
	/// A string of `0x` and 64 hexadecimal digits.
	Hash,
}

fn every() -> Age {
	Age(300)
}

fn timeout() -> Age {
	Age(10)
}

fn max_bytes() -> usize {
	1024 * 1024
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(
	deserializer: D,
) -> Result<T, D::Error> {
	let text = String::deserialize(deserializer)?;
	text.parse().map_err(de::Error::custom)
}

fn age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Age, D::Error> {
	parsed(deserializer)
}

fn some_age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Age>, D::Error> {
	parsed(deserializer).map(Some)
}

fn https<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
	let url: Url = parsed(deserializer)?;
	if !url.username().is_empty() || url.password().is_some() {
		return Err(de::Error::custom(
			"expected an address without a user name or password",
		));
	}
	match url.scheme() == "https" && url.host_str().is_some() {
		true => Ok(url),
		false => Err(de::Error::custom(
			"expected an address that begins with https://",
		)),
	}
}

fn pointer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
	let text = String::deserialize(deserializer)?;
	match text.is_empty() || text.starts_with('/') {
		true => Ok(text),
		false => Err(de::Error::custom(
			"expected a JSON pointer, such as /data/0/pm25",
		)),
	}
}

/// The longest configuration that is read, in bytes.
const LONGEST: u64 = 1 << 20;

impl Config {
	/// Reads and checks a file. Paths in it are relative to its folder.
	pub(super) fn read(path: &Path) -> Result<Self, Error> {
		let text = read_at_most(path, LONGEST, "a configuration")?;
		let text = String::from_utf8(text)
			.map_err(|_| Error::usage(format!("{}: a configuration is UTF-8", path.shown())))?;
		let mut config = Self::parse(&text)
			.map_err(|reason| Error::usage(format!("{}: {reason}", path.shown())))?;
		let folder = path.parent().unwrap_or(Path::new(""));
		config.ca = config.ca.map(|ca| folder.join(ca));
		Ok(config)
	}

	/// Reads and checks the contents of a file.
	fn parse(text: &str) -> Result<Self, String> {
		let config: Self = toml::from_str(text).map_err(|error| {
			// The error is shown on one line.
			let before = error.span().and_then(|span| text.get(..span.start));
			let line = before.unwrap_or_default().matches('\n').count() + 1;
			format!("line {line}: {}", error.message())
		})?;
		if config.topics.is_empty() {
			return Err("expected at least one [[topic]]".into());
		}
		if config.redirects > MAX_REDIRECTS {
			return Err(format!("expected at most {MAX_REDIRECTS} redirects"));
		}
		if !(1..=MAX_BYTES).contains(&config.max_bytes) {
			return Err(format!("expected max-bytes from 1 to {MAX_BYTES}"));
		}
		if config.timeout.0 > MAX_TIMEOUT {
			return Err(format!("expected a timeout of at most {MAX_TIMEOUT}s"));
		}
		let mut names = BTreeSet::new();
		for topic in &config.topics {
			if !names.insert(&topic.name) {
				return Err(format!("the topic {} is there twice", topic.name));
			}
			topic.check_decimals()?;
		}
		Ok(config)
	}

	/// Returns how long a response may take.
	pub(super) fn timeout(&self) -> Duration {
		Duration::from_secs(self.timeout.0.into())
	}
}

impl Topic {
	fn check_decimals(&self) -> Result<(), String> {
		let name = &self.name;
		match (self.kind, self.decimals) {
			(Kind::Decimal, Some(0..=MAX_SCALE)) => Ok(()),
			(Kind::Decimal, _) => Err(format!(
				"{name}: a decimal needs `decimals`, how many digits after the point to keep: 0 to {MAX_SCALE}"
			)),
			(_, None) => Ok(()),
			(_, Some(_)) => Err(format!("{name}: only a decimal has `decimals`")),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const TOPIC: &str = r#"
[[topic]]
name = "pm25"
url = "https://air.example/v1"
pointer = "/data/0/pm25"
type = "integer"
"#;

	#[test]
	fn what_is_left_out_has_a_default() {
		let config = Config::parse(&format!("source = \"weather/beijing\"{TOPIC}")).unwrap();
		assert_eq!((config.every, config.again), (Age(300), None));
		assert_eq!((config.redirects, config.max_bytes), (0, 1 << 20));
		assert_eq!(config.timeout(), Duration::from_secs(10));
		assert_eq!(config.topics[0].kind, Kind::Integer);
		let all = "source = \"a\"\nevery = \"1m\"\nagain = \"2h\"\ntimeout = \"30s\"\nmax-bytes = 5\nredirects = 2\nca = \"ca.pem\"";
		let config = Config::parse(&format!("{all}{TOPIC}")).unwrap();
		assert_eq!((config.every, config.again), (Age(60), Some(Age(2 * 3600))));
		assert_eq!((config.redirects, config.max_bytes), (2, 5));
	}

	#[test]
	fn an_error_says_what_is_wrong() {
		let with = |lines: &str, topic: &str| format!("{lines}{topic}");
		let changed = |from: &str, to: &str| with("source = \"a\"", &TOPIC.replace(from, to));
		for (text, reason) in [
			(with("", TOPIC), "line 1: missing field `source`"),
			(with("source = \"Weather\"", TOPIC), "a name has"),
			(with("source = \"a\"\ntopic = []", ""), "at least one"),
			(with("source = \"a\"\nevery = \"0s\"", TOPIC), "an age"),
			(
				with("source = \"a\"\neach = \"1s\"", TOPIC),
				"unknown field `each`",
			),
			(with("source = \"a\"\nredirects = 6", TOPIC), "at most 5"),
			(
				with("source = \"a\"\nmax-bytes = 0", TOPIC),
				"max-bytes from 1",
			),
			(
				with("source = \"a\"\ntimeout = \"301s\"", TOPIC),
				"at most 300s",
			),
			(with("source = \"a\"", &format!("{TOPIC}{TOPIC}")), "twice"),
			(changed("https", "http"), "begins with https://"),
			(changed("https://", "https://me:pw@"), "without a user name"),
			(changed("https://air.example", "air"), "relative URL"),
			(changed("/data", "data"), "a JSON pointer"),
			(
				changed("integer", "float"),
				"line 6: unknown variant `float`",
			),
			(changed("integer", "decimal"), "needs `decimals`"),
			(
				changed("\"integer\"", "\"text\"\ndecimals = 1"),
				"only a decimal",
			),
			(
				changed("\"integer\"", "\"decimal\"\ndecimals = 19"),
				"0 to 18",
			),
		] {
			let error = Config::parse(&text).err().unwrap_or_default();
			assert!(error.contains(reason), "{text}: {error}");
		}
	}
}
