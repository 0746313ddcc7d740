// SPDX-License-Identifier: Apache-2.0
//! The end of a Parquet file, which describes the table in it: <https://parquet.apache.org/docs/file-format/metadata/>.
//!
//! A file ends with its description, the description's length in four bytes, and `PAR1`. The description begins with the
//! columns and the number of rows, and only these are read.

pub use crate::error::ParquetError;
use crate::{
	columns::{Column, Kind},
	thrift::{Reader, Tag},
};
use std::ops::Range;

/// How many bytes at the end of a file say where its description is.
pub const TAIL: u64 = 8;
/// The fewest bytes of a file: both marks, and the length.
const SHORTEST: u64 = 12;
const MARK: [u8; 4] = *b"PAR1";
/// The mark of a file whose description is encrypted.
const ENCRYPTED: [u8; 4] = *b"PARE";
/// How many bytes of a description are read. The columns are at its beginning.
const LONGEST: u64 = 4 << 20;
/// How many columns there may be, with those inside of others.
const MOST: usize = crate::error::MOST_COLUMNS;
/// How deep columns may be in each other.
const DEEPEST: u8 = 64;

/// What a file says about its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
	/// How many rows it has.
	pub rows: u64,
	/// Its columns.
	pub columns: Vec<Column>,
}

use ParquetError::Malformed;

/// Returns where in a file its description is, or the beginning of a long one. `tail` has the last [`TAIL`] bytes of the
/// file, which has `length` bytes.
///
/// # Errors
///
/// Returns a [`ParquetError`] if it is not a Parquet file, or its description is encrypted.
pub fn description(length: u64, tail: [u8; TAIL as usize]) -> Result<Range<u64>, ParquetError> {
	let [a, b, c, d, mark @ ..] = tail;
	match mark {
		MARK => {}
		ENCRYPTED => return Err(ParquetError::Encrypted),
		_ => return Err(ParquetError::Foreign),
	}
	let described = u64::from(u32::from_le_bytes([a, b, c, d]));
	if described > length.saturating_sub(SHORTEST) {
		return Err(ParquetError::Short);
	}
	let start = length - TAIL - described;
	Ok(start..start + described.min(LONGEST))
}

/// Reads a description.
///
/// # Errors
///
/// Returns a [`ParquetError`] if it is not one.
pub fn read(description: &[u8]) -> Result<Table, ParquetError> {
	let mut reader = Reader::new(description);
	let (mut columns, mut rows, mut number) = (None, None, 0);
	loop {
		let (next, tag) = reader.field(number)?;
		match (next, tag) {
			(_, Tag::Stop) => return Err(Malformed("no columns, or no number of rows")),
			(2, Tag::List) => columns = Some(self::columns(&mut reader)?),
			(3, Tag::Int) => {
				let count = u64::try_from(reader.int()?);
				rows = Some(count.map_err(|_| Malformed("a negative number of rows"))?);
			}
			_ => reader.skip(tag)?,
		}
		number = next;
		if let (Some(rows), Some(_)) = (rows, &columns) {
			let columns = columns.unwrap_or_default();
			return Ok(Table { rows, columns });
		}
	}
}

/// A column as it is written: without its children, which follow.
#[derive(Default)]
struct Element<'a> {
	name: &'a str,
	physical: Option<i64>,
	repetition: i64,
	children: i64,
	converted: Option<i64>,
	logical: Option<i64>,
	scale: i64,
	precision: i64,
}

/// A column with its children.
struct Node<'a> {
	element: Element<'a>,
	children: Vec<Node<'a>>,
}

/// Values of `repetition`.
mod repetition {
	pub(super) const REQUIRED: i64 = 0;
	pub(super) const REPEATED: i64 = 2;
}

/// Values of `converted`, the older way to say what values are.
mod converted {
	pub(super) const UTF8: i64 = 0;
	pub(super) const MAP: i64 = 1;
	pub(super) const MAP_KEY_VALUE: i64 = 2;
	pub(super) const LIST: i64 = 3;
	pub(super) const ENUM: i64 = 4;
	pub(super) const DECIMAL: i64 = 5;
	pub(super) const DATE: i64 = 6;
	pub(super) const TIMESTAMP_MILLIS: i64 = 9;
	pub(super) const TIMESTAMP_MICROS: i64 = 10;
	pub(super) const UINT_8: i64 = 11;
	pub(super) const UINT_16: i64 = 12;
	pub(super) const UINT_32: i64 = 13;
	pub(super) const UINT_64: i64 = 14;
	pub(super) const INT_8: i64 = 15;
	pub(super) const INT_16: i64 = 16;
	pub(super) const JSON: i64 = 19;
}

/// Which field of the union `logicalType` is there, the newer way. A value that is not here has the kind of its physical type in
/// Spark, or is also said in the older way.
mod logical {
	pub(super) const STRING: i64 = 1;
	pub(super) const MAP: i64 = 2;
	pub(super) const LIST: i64 = 3;
	pub(super) const ENUM: i64 = 4;
	pub(super) const DECIMAL: i64 = 5;
	pub(super) const DATE: i64 = 6;
	pub(super) const TIMESTAMP: i64 = 8;
	pub(super) const JSON: i64 = 12;
}

/// Reads the columns, which are written as a tree from its root on.
fn columns(reader: &mut Reader) -> Result<Vec<Column>, ParquetError> {
	let (count, tag) = reader.list()?;
	if tag != Tag::Struct {
		return Err(Malformed("columns that are none"));
	}
	let mut elements = Vec::new();
	for _ in 0..count {
		if elements.len() >= MOST {
			return Err(ParquetError::TooManyColumns);
		}
		elements.push(element(reader)?);
	}
	let mut elements = elements.into_iter();
	let root = node(&mut elements, DEEPEST)?;
	if elements.next().is_some() {
		return Err(Malformed("columns that belong to no table"));
	}
	root.children.iter().map(Node::column).collect()
}

fn element<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, ParquetError> {
	let mut element = Element::default();
	let mut number = 0;
	loop {
		let (next, tag) = reader.field(number)?;
		match (next, tag) {
			(_, Tag::Stop) => return Ok(element),
			(1, Tag::Int) => element.physical = Some(reader.int()?),
			(3, Tag::Int) => element.repetition = reader.int()?,
			(4, Tag::Binary) => element.name = reader.text()?,
			(5, Tag::Int) => element.children = reader.int()?,
			(6, Tag::Int) => element.converted = Some(reader.int()?),
			(7, Tag::Int) => element.scale = reader.int()?,
			(8, Tag::Int) => element.precision = reader.int()?,
			(10, Tag::Struct) => element.logical = union(reader)?,
			_ => reader.skip(tag)?,
		}
		number = next;
	}
}

/// Reads which field of a union is there, and skips it.
fn union(reader: &mut Reader) -> Result<Option<i64>, ParquetError> {
	let (mut found, mut number) = (None, 0);
	loop {
		let (next, tag) = reader.field(number)?;
		if tag == Tag::Stop {
			return Ok(found);
		}
		reader.skip(tag)?;
		(found, number) = (Some(next), next);
	}
}

fn node<'a>(
	elements: &mut impl Iterator<Item = Element<'a>>,
	deeper: u8,
) -> Result<Node<'a>, ParquetError> {
	let deeper = deeper
		.checked_sub(1)
		.ok_or(Malformed("columns too deep in each other"))?;
	let element = elements
		.next()
		.ok_or(Malformed("fewer columns than it says"))?;
	let mut children = Vec::new();
	for _ in 0..element.children {
		children.push(node(elements, deeper)?);
	}
	Ok(Node { element, children })
}

impl Node<'_> {
	fn column(&self) -> Result<Column, ParquetError> {
		let name = self.element.name.to_owned();
		let kind = self.kind()?;
		Ok(match self.element.repetition {
			// An old way to write a list.
			repetition::REPEATED => Column {
				name,
				kind: Kind::Array {
					element: Box::new(kind),
					nullable: false,
				},
				nullable: false,
			},
			repetition => Column {
				name,
				kind,
				nullable: repetition != repetition::REQUIRED,
			},
		})
	}

	fn kind(&self) -> Result<Kind, ParquetError> {
		let Element {
			converted, logical, ..
		} = self.element;
		let inside = match &self.children[..] {
			[] => return self.element.kind(),
			[only] if only.element.repetition == repetition::REPEATED => Some(only),
			_ => None,
		};
		let is_list = logical == Some(logical::LIST) || converted == Some(converted::LIST);
		let is_map = logical == Some(logical::MAP)
			|| matches!(converted, Some(converted::MAP | converted::MAP_KEY_VALUE));
		match (inside, inside.map(|inside| &inside.children[..])) {
			(Some(repeated), _) if is_list => self.list(repeated),
			(_, Some([key, value])) if is_map => {
				let (key, value) = (key.column()?, value.column()?);
				Ok(Kind::Map {
					key: Box::new(key.kind),
					value: Box::new(value.kind),
					nullable: value.nullable,
				})
			}
			_ => self.fields(),
		}
	}

	fn fields(&self) -> Result<Kind, ParquetError> {
		let fields: Result<_, _> = self.children.iter().map(Self::column).collect();
		Ok(Kind::Struct(fields?))
	}

	/// Returns the kind of a list with this repeated field, in one of the ways in which lists were written over the years:
	/// <https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists>.
	fn list(&self, repeated: &Self) -> Result<Kind, ParquetError> {
		let name = repeated.element.name;
		let is_old = name == "array" || name.strip_suffix("_tuple") == Some(self.element.name);
		let (element, nullable) = match &repeated.children[..] {
			[only] if !is_old => {
				let column = only.column()?;
				(column.kind, column.nullable)
			}
			_ => (repeated.kind()?, false),
		};
		Ok(Kind::Array {
			element: Box::new(element),
			nullable,
		})
	}
}

impl Element<'_> {
	/// Returns the kind of a column without children.
	fn kind(&self) -> Result<Kind, ParquetError> {
		let by_logical = match self.logical {
			Some(logical::STRING | logical::ENUM | logical::JSON) => Some(Kind::String),
			Some(logical::DECIMAL) => self.decimal(),
			Some(logical::DATE) => Some(Kind::Date),
			Some(logical::TIMESTAMP) => Some(Kind::Timestamp),
			_ => None,
		};
		let by_converted = || match self.converted? {
			converted::UTF8 | converted::ENUM | converted::JSON => Some(Kind::String),
			converted::DECIMAL => self.decimal(),
			converted::DATE => Some(Kind::Date),
			converted::TIMESTAMP_MILLIS | converted::TIMESTAMP_MICROS => Some(Kind::Timestamp),
			// Unsigned integers are read into the next larger ones.
			converted::UINT_8 | converted::INT_16 => Some(Kind::Short),
			converted::UINT_16 => Some(Kind::Integer),
			converted::UINT_32 => Some(Kind::Long),
			converted::UINT_64 => Some(Kind::Decimal {
				precision: 20,
				scale: 0,
			}),
			converted::INT_8 => Some(Kind::Byte),
			_ => None,
		};
		if let Some(kind) = by_logical.or_else(by_converted) {
			return Ok(kind);
		}
		Ok(match self.physical {
			Some(0) => Kind::Boolean,
			Some(1) => Kind::Integer,
			Some(2) => Kind::Long,
			// 96 bits, which were only used for time.
			Some(3) => Kind::Timestamp,
			Some(4) => Kind::Float,
			Some(5) => Kind::Double,
			Some(6 | 7) => Kind::Binary,
			Some(_) => return Err(Malformed("a column of an unknown type")),
			// A struct without fields.
			None => Kind::Struct(Vec::new()),
		})
	}

	/// Returns the kind of a decimal number; `None` if Spark knows none with this number of digits.
	fn decimal(&self) -> Option<Kind> {
		let precision = u8::try_from(self.precision).ok()?;
		let scale = u8::try_from(self.scale).ok()?;
		let is_known = (1..=38).contains(&precision) && scale <= precision;
		is_known.then_some(Kind::Decimal { precision, scale })
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::schema;
	use serde_json::Value;

	/// Files that were written by other programs, and what these say about them.
	fn vectors() -> Vec<(String, Vec<u8>, Value)> {
		let vectors: Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
		let vectors = vectors["files"].as_array().unwrap();
		let vector = |vector: &Value| {
			let hex = vector["bytes"].as_str().unwrap();
			let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
			let bytes = (0..hex.len()).step_by(2).map(byte).collect();
			(
				vector["name"].as_str().unwrap().to_owned(),
				bytes,
				vector.clone(),
			)
		};
		vectors.iter().map(vector).collect()
	}

	fn whole(file: &[u8]) -> Result<Table, ParquetError> {
		let tail = *file.last_chunk().ok_or(ParquetError::Short)?;
		let range = description(file.len() as u64, tail)?;
		read(&file[range.start as usize..range.end as usize])
	}

	#[test]
	fn files_of_other_programs_are_described_as_these_do() {
		let vectors = vectors();
		assert!(vectors.len() >= 3);
		for (name, file, expected) in vectors {
			let table = whole(&file).unwrap();
			assert_eq!(expected["rows"], table.rows, "{name}");
			assert_eq!(expected["schema"], schema(&table.columns), "{name}");
		}
	}

	#[test]
	fn what_is_no_parquet_file_is_refused() {
		let tail = |length: u32, mark: &[u8; 4]| {
			let mut tail = [0; 8];
			tail[..4].copy_from_slice(&length.to_le_bytes());
			tail[4..].copy_from_slice(mark);
			tail
		};
		assert_eq!(description(112, tail(100, &MARK)), Ok(4..104));
		assert_eq!(description(111, tail(100, &MARK)), Err(ParquetError::Short));
		assert_eq!(description(8, tail(0, &MARK)), Ok(0..0));
		assert_eq!(
			description(112, tail(100, b"PAR2")),
			Err(ParquetError::Foreign)
		);
		assert_eq!(
			description(112, tail(100, b"PARE")),
			Err(ParquetError::Encrypted)
		);
		// Only the beginning of a long one is read.
		let long = description(1 << 30, tail(1 << 29, &MARK)).unwrap();
		assert_eq!(long.end - long.start, LONGEST);
		for (bytes, words) in [
			(&[0][..], "no columns, or no number of rows"),
			(&[0x29, 0x18], "columns that are none"),
			(&[0x29, 0x0c], "fewer columns than it says"),
			(&[0x36, 0x01], "a negative number of rows"),
			(&[0x29, 0x2c, 0, 0], "columns that belong to no table"),
			(&[0x1f], "a value of an unknown kind"),
			(&[0x29, 0x1c, 0x48, 1, 0xff], "a name that is not UTF-8"),
		] {
			assert_eq!(read(bytes), Err(Malformed(words)));
		}
		assert_eq!(read(&[]), Err(ParquetError::Short));
		// Columns without anything, as many as there may be, and one more.
		let many = |count: usize| {
			[
				&[0x29, 0xfc, count as u8 | 0x80, (count >> 7) as u8][..],
				&vec![0; count],
			]
			.concat()
		};
		let none = Malformed("columns that belong to no table");
		assert_eq!(read(&many(MOST)), Err(none));
		assert_eq!(read(&many(MOST + 1)), Err(ParquetError::TooManyColumns));
		// A column with 63 of its kind inside of each other, and then one more.
		let nested = |depth: usize| {
			let mut bytes = vec![0x29, 0xfc, depth as u8];
			for level in 0..depth {
				bytes.extend([0x55, if level + 1 < depth { 2 } else { 0 }, 0]);
			}
			[bytes, vec![0x16, 0]].concat()
		};
		assert!(read(&nested(64)).is_ok());
		let deep = Err(Malformed("columns too deep in each other"));
		assert_eq!(read(&nested(65)), deep);
	}

	#[test]
	fn a_file_that_is_cut_or_changed_does_no_harm() {
		for (_, file, _) in vectors() {
			let tail = *file.last_chunk().unwrap();
			let range = description(file.len() as u64, tail).unwrap();
			let described = &file[range.start as usize..range.end as usize];
			for end in 0..described.len() {
				let _ = read(&described[..end]);
				for change in [1, 0x80, 0xff] {
					let mut changed = described.to_vec();
					changed[end] ^= change;
					let _ = read(&changed);
				}
			}
		}
	}

	proptest::proptest! {
		#![proptest_config(proptest::test_runner::Config { cases: 256, failure_persistence: None, ..Default::default() })]

		#[test]
		fn no_bytes_end_the_program(bytes in proptest::collection::vec(0_u8.., 0..200)) {
			let _ = read(&bytes);
			let _ = whole(&bytes);
		}
	}
}
