// SPDX-License-Identifier: Apache-2.0
//! Writes S3's answers.

use std::fmt::Write;

/// What is in an answer, up to the end of the outermost element.
pub(crate) struct Xml {
	text: String,
	outermost: &'static str,
}

impl Xml {
	/// Begins with the outermost element.
	pub(crate) fn new(outermost: &'static str) -> Self {
		let text = format!(
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{outermost} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		);
		Self { text, outermost }
	}

	/// Begins an error, which has no name space.
	pub(crate) fn error() -> Self {
		let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>".to_owned();
		let outermost = "Error";
		Self { text, outermost }
	}

	/// Adds an element with a text.
	pub(crate) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
		self.add(name, value);
		self
	}

	/// Adds an element with a text.
	pub(crate) fn add(&mut self, name: &str, value: impl std::fmt::Display) {
		let value = escaped(&value.to_string());
		let _ = write!(self.text, "<{name}>{value}</{name}>");
	}

	/// Adds an element with elements in it.
	pub(crate) fn group(&mut self, name: &str, elements: &[(&str, String)]) {
		let _ = write!(self.text, "<{name}>");
		for (name, value) in elements {
			self.add(name, value);
		}
		let _ = write!(self.text, "</{name}>");
	}

	/// Adds an element around what is added meanwhile.
	pub(crate) fn around(&mut self, name: &str, add: impl FnOnce(&mut Self)) {
		let _ = write!(self.text, "<{name}>");
		add(self);
		let _ = write!(self.text, "</{name}>");
	}

	/// Returns the text.
	pub(crate) fn end(self) -> String {
		format!("{}</{}>\n", self.text, self.outermost)
	}
}

/// Escapes what XML reads as something else, and replaces what it cannot contain.
fn escaped(text: &str) -> String {
	let mut escaped = String::with_capacity(text.len());
	for c in text.chars() {
		match c {
			'&' => escaped.push_str("&amp;"),
			'<' => escaped.push_str("&lt;"),
			'>' => escaped.push_str("&gt;"),
			'"' => escaped.push_str("&quot;"),
			'\'' => escaped.push_str("&apos;"),
			'\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
			c if c.is_control() => escaped.push('\u{fffd}'),
			c => escaped.push(c),
		}
	}
	escaped
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn names_do_not_become_elements() {
		let mut xml = Xml::error().with("Key", "<a href=\"x\">'&\u{0}\u{ffff}");
		xml.group("Owner", &[("ID", "1".into()), ("DisplayName", "é".into())]);
		let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Key>&lt;a href=&quot;x&quot;&gt;&apos;&amp;\u{fffd}\u{fffd}</Key><Owner><ID>1</ID><DisplayName>é</DisplayName></Owner></Error>\n";
		assert_eq!(xml.end(), expected);
	}
}
