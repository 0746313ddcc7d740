// SPDX-License-Identifier: Apache-2.0
//! Parses conditions, by one function for each rule of the grammar.

use super::{
	error::{Expected, SyntaxError},
	lexer::{token, Token},
	time,
};
use crate::{
	condition::{
		Account, BoundsError, Comparison, Condition, FactTest, Node, MAX_DEPTH, MAX_NODES,
	},
	name::{Name, Text},
	value::{Decimal, Value},
};
use alloc::{boxed::Box, string::String, vec, vec::Vec};
use core::ops::Range;

/// How deep parentheses can be in one another. They may be redundant, so this is more than [`MAX_DEPTH`].
const MAX_NESTING: usize = 32;

type Parsed<T> = Result<T, SyntaxError>;

/// A part of a condition, and its number of levels.
type Part = (Node, usize);

/// Makes a node of several parts.
type Join = fn(Vec<Node>) -> Node;

/// Parses a condition.
pub(super) fn parse(text: &str) -> Parsed<Condition> {
	let mut parser = Parser::new(text);
	let start = parser.span.start;
	let (node, _) = parser.condition()?;
	if parser.token != Token::End {
		return Err(parser.wrong(Expected::End));
	}
	Condition::new(node).map_err(|error| SyntaxError {
		span: start..parser.end,
		expected: Expected::Bounds(error),
	})
}

/// Parses a value.
pub(super) fn parse_value(text: &str) -> Parsed<Value> {
	let mut parser = Parser::new(text);
	let value = parser.constant()?;
	match parser.token {
		Token::End => Ok(value),
		_ => Err(parser.wrong(Expected::Constant)),
	}
}

struct Parser<'a> {
	text: &'a str,
	/// The next token, which is not consumed yet, and its bytes.
	token: Token<'a>,
	span: Range<usize>,
	/// Where the last consumed token ended.
	end: usize,
	/// The number of nodes made so far.
	nodes: usize,
	/// The number of parentheses and `not`s that are open.
	nesting: usize,
}

impl<'a> Parser<'a> {
	/// Begins at the text's first token.
	fn new(text: &'a str) -> Self {
		let (token, span) = token(text, 0);
		Self {
			text,
			token,
			span,
			end: 0,
			nodes: 0,
			nesting: 0,
		}
	}

	/// Returns the error that the next token is not what was expected.
	fn wrong(&self, expected: Expected) -> SyntaxError {
		let expected = if self.token == Token::Unclosed {
			Expected::Quote
		} else {
			expected
		};
		SyntaxError {
			span: self.span.clone(),
			expected,
		}
	}

	/// Consumes the next token, and returns its bytes.
	fn advance(&mut self) -> Range<usize> {
		self.end = self.span.end;
		let (token, span) = token(self.text, self.end);
		self.token = token;
		core::mem::replace(&mut self.span, span)
	}

	/// Consumes a symbol.
	fn symbol(&mut self, symbol: &'static str) -> Parsed<()> {
		if self.token != Token::Symbol(symbol) {
			return Err(self.wrong(Expected::Symbol(symbol)));
		}
		self.advance();
		Ok(())
	}

	/// Consumes a word that `read` accepts.
	fn word<T>(
		&mut self,
		expected: Expected,
		read: impl FnOnce(&'a str) -> Option<T>,
	) -> Parsed<T> {
		let read = match self.token {
			Token::Word(word) => read(word),
			_ => None,
		};
		let read = read.ok_or_else(|| self.wrong(expected))?;
		self.advance();
		Ok(read)
	}

	/// Counts a node that begins here, and refuses it if it is one too many or too deep.
	fn node(&mut self, start: usize, node: Node, levels: usize) -> Parsed<Part> {
		self.nodes += 1;
		let error = if levels > MAX_DEPTH {
			BoundsError::TooDeep
		} else if self.nodes > MAX_NODES {
			BoundsError::TooManyNodes
		} else {
			return Ok((node, levels));
		};
		let span = start..self.end;
		Err(SyntaxError {
			span,
			expected: Expected::Bounds(error),
		})
	}

	/// Descends into a parenthesis or a `not`.
	fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
		if self.nesting == MAX_NESTING {
			return Err(self.wrong(Expected::Bounds(BoundsError::TooDeep)));
		}
		self.nesting += 1;
		let parsed = parse(self);
		self.nesting -= 1;
		parsed
	}

	fn condition(&mut self) -> Parsed<Part> {
		self.joined("or", Node::Any, Self::conjunction)
	}

	fn conjunction(&mut self) -> Parsed<Part> {
		self.joined("and", Node::All, Self::part)
	}

	/// Parses one part, or several with a keyword between them.
	fn joined(
		&mut self,
		keyword: &str,
		join: Join,
		part: fn(&mut Self) -> Parsed<Part>,
	) -> Parsed<Part> {
		let start = self.span.start;
		let (first, mut levels) = part(self)?;
		if self.token != Token::Word(keyword) {
			return Ok((first, levels));
		}
		let mut parts = vec![first];
		while self.token == Token::Word(keyword) {
			self.advance();
			let (next, its_levels) = part(self)?;
			levels = levels.max(its_levels);
			parts.push(next);
		}
		self.node(start, join(parts), levels + 1)
	}

	fn part(&mut self) -> Parsed<Part> {
		let start = self.span.start;
		match self.token {
			Token::Symbol("(") => self.nested(|parser| {
				parser.advance();
				let inner = parser.condition()?;
				if parser.token != Token::Symbol(")") {
					return Err(parser.wrong(Expected::Closing));
				}
				parser.advance();
				Ok(inner)
			}),
			Token::Word("not") => {
				let (part, levels) = self.nested(|parser| {
					parser.advance();
					parser.part()
				})?;
				self.node(start, Node::Not(Box::new(part)), levels + 1)
			}
			Token::Word(keyword) => self.test(keyword),
			_ => Err(self.wrong(Expected::Part)),
		}
	}

	fn test(&mut self, keyword: &str) -> Parsed<Part> {
		let start = self.span.start;
		let test = match keyword {
			"before" => Self::before,
			"after" => Self::after,
			"fact" => Self::fact,
			"credential" => Self::credential,
			"granted" => Self::granted,
			"paid" => Self::paid,
			"count" => Self::count,
			_ => return Err(self.wrong(Expected::Part)),
		};
		self.advance();
		let node = test(self)?;
		self.node(start, node, 1)
	}

	fn before(&mut self) -> Parsed<Node> {
		self.time().map(Node::Before)
	}

	fn after(&mut self) -> Parsed<Node> {
		self.time().map(Node::After)
	}

	fn time(&mut self) -> Parsed<u64> {
		self.symbol("(")?;
		let time = self.word(Expected::Time, time::read)?;
		self.symbol(")")?;
		Ok(time)
	}

	fn fact(&mut self) -> Parsed<Node> {
		self.symbol("(")?;
		let source = self.name()?;
		self.symbol(",")?;
		let topic = self.name()?;
		let mut oldest = None;
		if self.token == Token::Symbol(",") {
			self.advance();
			oldest = Some(self.word(Expected::Age, time::read_age)?);
		}
		self.symbol(")")?;
		let (compared, comparison) = self.comparison()?;
		let constant = self.constant()?;
		if comparison.is_order() && !constant.is_number() {
			let expected = Expected::Bounds(BoundsError::NotOrdered);
			return Err(SyntaxError {
				span: compared,
				expected,
			});
		}
		Ok(Node::Fact(FactTest {
			source,
			topic,
			oldest,
			comparison,
			constant,
		}))
	}

	fn credential(&mut self) -> Parsed<Node> {
		self.symbol("(")?;
		let issuer = self.account()?;
		self.symbol(",")?;
		let kind = self.name()?;
		self.symbol(")")?;
		Ok(Node::Credential { issuer, kind })
	}

	fn granted(&mut self) -> Parsed<Node> {
		self.symbol("(")?;
		let owner = self.account()?;
		self.symbol(",")?;
		let dataset = self.word(Expected::Number, natural)?;
		self.symbol(")")?;
		Ok(Node::Granted { owner, dataset })
	}

	fn paid(&mut self) -> Parsed<Node> {
		self.symbol(">=")?;
		self.word(Expected::Amount, natural).map(Node::PaidAtLeast)
	}

	fn count(&mut self) -> Parsed<Node> {
		self.symbol("<")?;
		self.word(Expected::Number, natural).map(Node::CountBelow)
	}

	fn name(&mut self) -> Parsed<Name> {
		let Token::Word(word) = self.token else {
			return Err(self.wrong(Expected::Name(crate::name::NameError)));
		};
		let name = Name::new(word).map_err(|error| self.wrong(Expected::Name(error)))?;
		self.advance();
		Ok(name)
	}

	fn account(&mut self) -> Parsed<Account> {
		self.word(Expected::Account, bytes)
	}

	/// Returns a comparison and its place.
	fn comparison(&mut self) -> Parsed<(Range<usize>, Comparison)> {
		let comparison = match self.token {
			Token::Symbol("=") => Comparison::Equal,
			Token::Symbol("!=") => Comparison::NotEqual,
			Token::Symbol("<") => Comparison::Less,
			Token::Symbol("<=") => Comparison::LessOrEqual,
			Token::Symbol(">") => Comparison::Greater,
			Token::Symbol(">=") => Comparison::GreaterOrEqual,
			_ => return Err(self.wrong(Expected::Comparison)),
		};
		Ok((self.advance(), comparison))
	}

	fn constant(&mut self) -> Parsed<Value> {
		let value = match self.token {
			Token::Quoted(quoted) => self.text_value(quoted)?,
			Token::Word(word) if word.starts_with("0x") => bytes(word)
				.map(Value::Hash)
				.ok_or_else(|| self.wrong(Expected::Constant))?,
			Token::Word(word) => number(word).map_err(|expected| self.wrong(expected))?,
			_ => return Err(self.wrong(Expected::Constant)),
		};
		self.advance();
		Ok(value)
	}

	/// Returns the text between two double quotes.
	fn text_value(&self, quoted: &str) -> Parsed<Value> {
		let mut text = String::new();
		let mut rest = quoted;
		while let Some(character) = rest.chars().next() {
			let (character, length) = match character {
				'\\' => unescape(rest).ok_or_else(|| {
					// The quote itself comes before the text.
					let start = self.span.start + 1 + (quoted.len() - rest.len());
					let escape: usize = rest.chars().take(2).map(char::len_utf8).sum();
					SyntaxError {
						span: start..start + escape,
						expected: Expected::Escape,
					}
				})?,
				_ => (character, character.len_utf8()),
			};
			text.push(character);
			rest = &rest[length..];
		}
		let text = Text::new(&text).map_err(|error| self.wrong(Expected::Text(error)))?;
		Ok(Value::Text(text))
	}
}

/// Reads the escape at the beginning of a text. Returns the character and the escape's length.
fn unescape(text: &str) -> Option<(char, usize)> {
	let escape = text.strip_prefix('\\')?;
	if let Some(code) = escape.strip_prefix("u{") {
		let (code, _) = code.split_once('}')?;
		let is_code =
			(1..=6).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_hexdigit());
		let number = u32::from_str_radix(code, 16).ok().filter(|_| is_code)?;
		return Some((char::from_u32(number)?, "\\u{}".len() + code.len()));
	}
	let character = escape.chars().next().filter(|c| matches!(c, '"' | '\\'))?;
	Some((character, 2))
}

/// Reads 32 bytes in hexadecimal.
fn bytes(word: &str) -> Option<[u8; 32]> {
	let digits = word.strip_prefix("0x")?.as_bytes();
	let mut bytes = [0; 32];
	if digits.len() != 2 * bytes.len() {
		return None;
	}
	for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
		for digit in pair {
			let digit = char::from(*digit).to_digit(16)?;
			*byte = (*byte << 4) | digit as u8;
		}
	}
	Some(bytes)
}

/// Reads an integer that is not negative.
fn natural<T: core::str::FromStr>(word: &str) -> Option<T> {
	let is_natural = word.bytes().all(|byte| byte.is_ascii_digit());
	word.parse().ok().filter(|_| is_natural)
}

/// Reads an integer or a decimal.
fn number(word: &str) -> Result<Value, Expected> {
	let digits = word.strip_prefix('-').unwrap_or(word);
	let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
	if is_digits(digits) {
		return word
			.parse()
			.map(Value::Integer)
			.map_err(|_| Expected::Integer);
	}
	let parts = digits.split_once('.');
	let Some((whole, fraction)) = parts.filter(|(whole, rest)| is_digits(whole) && is_digits(rest))
	else {
		return Err(Expected::Constant);
	};
	let fraction = fraction.trim_end_matches('0');
	let too_long = Expected::Decimal(crate::value::DecimalError);
	let sign = &word[..word.len() - digits.len()];
	let mantissa = alloc::format!("{sign}{whole}{fraction}")
		.parse()
		.map_err(|_| too_long)?;
	let scale = u32::try_from(fraction.len()).map_err(|_| too_long)?;
	Decimal::new(mantissa, scale)
		.map(Value::Decimal)
		.map_err(Expected::Decimal)
}
