// SPDX-License-Identifier: Apache-2.0
//! Shows conditions in their canonical form.

use super::time;
use crate::{
	condition::{Comparison, Condition, FactTest, Node},
	value::{Decimal, Value},
};
use core::fmt::{self, Display, Formatter, Write};

impl Display for Condition {
	fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
		show(self.root(), f)
	}
}

fn show(node: &Node, f: &mut Formatter<'_>) -> fmt::Result {
	match node {
		Node::All(parts) => show_parts(parts, " and ", f),
		Node::Any(parts) => show_parts(parts, " or ", f),
		Node::Not(part) => {
			f.write_str("not ")?;
			show_part(part, f)
		}
		Node::Before(seconds) => show_time("before", *seconds, f),
		Node::After(seconds) => show_time("after", *seconds, f),
		Node::Fact(test) => show_fact(test, f),
		Node::Credential { issuer, kind } => {
			f.write_str("credential(")?;
			show_bytes(issuer, f)?;
			write!(f, ", {kind})")
		}
		Node::Granted { owner, dataset } => {
			f.write_str("granted(")?;
			show_bytes(owner, f)?;
			write!(f, ", {dataset})")
		}
		Node::PaidAtLeast(amount) => write!(f, "paid >= {amount}"),
		Node::CountBelow(number) => write!(f, "count < {number}"),
	}
}

fn show_parts(parts: &[Node], between: &str, f: &mut Formatter<'_>) -> fmt::Result {
	for (index, part) in parts.iter().enumerate() {
		if index > 0 {
			f.write_str(between)?;
		}
		show_part(part, f)?;
	}
	Ok(())
}

/// Shows a part, in parentheses if it has parts itself.
fn show_part(part: &Node, f: &mut Formatter<'_>) -> fmt::Result {
	if !matches!(part, Node::All(_) | Node::Any(_)) {
		return show(part, f);
	}
	f.write_char('(')?;
	show(part, f)?;
	f.write_char(')')
}

fn show_time(test: &str, seconds: u64, f: &mut Formatter<'_>) -> fmt::Result {
	write!(f, "{test}(")?;
	time::show(seconds, f)?;
	f.write_char(')')
}

fn show_fact(test: &FactTest, f: &mut Formatter<'_>) -> fmt::Result {
	let FactTest {
		source,
		topic,
		oldest,
		comparison,
		constant,
	} = test;
	write!(f, "fact({source}, {topic}")?;
	if let Some(oldest) = oldest {
		f.write_str(", ")?;
		time::show_age(*oldest, f)?;
	}
	write!(f, ") {comparison} {constant}")
}

fn show_bytes(bytes: &[u8; 32], f: &mut Formatter<'_>) -> fmt::Result {
	f.write_str("0x")?;
	bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl Display for Comparison {
	fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Equal => "=",
			Self::NotEqual => "!=",
			Self::Less => "<",
			Self::LessOrEqual => "<=",
			Self::Greater => ">",
			Self::GreaterOrEqual => ">=",
		})
	}
}

/// Shows a value as it is written in a condition.
impl Display for Value {
	fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
		match self {
			Self::Integer(integer) => write!(f, "{integer}"),
			Self::Decimal(decimal) => write!(f, "{decimal}"),
			Self::Text(text) => show_text(text.as_str(), f),
			Self::Hash(hash) => show_bytes(hash, f),
		}
	}
}

/// Shows a text in double quotes, with escapes for all but letters, digits and the visible characters of Latin-1: others
/// may be invisible, or change the text around them.
fn show_text(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
	f.write_char('"')?;
	for character in text.chars() {
		match character {
			'"' | '\\' => write!(f, "\\{character}")?,
			' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{ff}' => f.write_char(character)?,
			_ if character.is_alphanumeric() => f.write_char(character)?,
			_ => write!(f, "{}", character.escape_unicode())?,
		}
	}
	f.write_char('"')
}

/// Shows a decimal with its point, and at least one digit on either side.
impl Display for Decimal {
	fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
		let unit = 10u64.pow(u32::from(self.scale()));
		let sign = if self.mantissa() < 0 { "-" } else { "" };
		let (whole, rest) = (
			self.mantissa().unsigned_abs() / unit,
			self.mantissa().unsigned_abs() % unit,
		);
		let digits = usize::from(self.scale().max(1));
		write!(f, "{sign}{whole}.{rest:0digits$}")
	}
}
