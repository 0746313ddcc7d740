// SPDX-License-Identifier: Apache-2.0
//! Thrift's compact protocol, as far as the end of a Parquet file needs it:
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use crate::error::ParquetError;

/// How deep structs, lists and maps may be in each other in what is skipped. Parquet's own are four deep.
const DEEPEST: u8 = 16;

/// What a value is, by the number in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
	/// The end of a struct.
	Stop,
	/// A boolean, which is the tag itself.
	Bool,
	Byte,
	/// An integer of 16, 32 or 64 bits, all written in the same way.
	Int,
	Double,
	Binary,
	/// A list or a set.
	List,
	Map,
	Struct,
}

impl Tag {
	fn read(number: u8) -> Result<Self, ParquetError> {
		Ok(match number {
			0 => Self::Stop,
			1 | 2 => Self::Bool,
			3 => Self::Byte,
			4..=6 => Self::Int,
			7 => Self::Double,
			8 => Self::Binary,
			9 | 10 => Self::List,
			11 => Self::Map,
			12 => Self::Struct,
			_ => return Err(ParquetError::Malformed("a value of an unknown kind")),
		})
	}
}

/// The bytes that are left.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
	pub(crate) fn new(bytes: &'a [u8]) -> Self {
		Self(bytes)
	}

	fn byte(&mut self) -> Result<u8, ParquetError> {
		let (first, rest) = self.0.split_first().ok_or(ParquetError::Short)?;
		self.0 = rest;
		Ok(*first)
	}

	fn take(&mut self, count: u64) -> Result<&'a [u8], ParquetError> {
		let count = usize::try_from(count).map_err(|_| ParquetError::Short)?;
		let (taken, rest) = self.0.split_at_checked(count).ok_or(ParquetError::Short)?;
		self.0 = rest;
		Ok(taken)
	}

	/// Reads an integer of seven bits in each byte, the lowest first.
	fn varint(&mut self) -> Result<u64, ParquetError> {
		let mut value = 0;
		for shift in (0..64).step_by(7) {
			let byte = self.byte()?;
			value |= u64::from(byte & 0x7f) << shift;
			if byte & 0x80 == 0 {
				return Ok(value);
			}
		}
		Err(ParquetError::Malformed("an integer of more than 64 bits"))
	}

	/// Reads a signed integer.
	pub(crate) fn int(&mut self) -> Result<i64, ParquetError> {
		let value = self.varint()?;
		Ok((value >> 1) as i64 ^ -((value & 1) as i64))
	}

	/// Reads a text.
	pub(crate) fn text(&mut self) -> Result<&'a str, ParquetError> {
		let length = self.varint()?;
		let bytes = self.take(length)?;
		std::str::from_utf8(bytes).map_err(|_| ParquetError::Malformed("a name that is not UTF-8"))
	}

	/// Reads the head of a struct's next field: its number and what its value is. `before` is the number of the last one.
	pub(crate) fn field(&mut self, before: i64) -> Result<(i64, Tag), ParquetError> {
		let head = self.byte()?;
		let tag = Tag::read(head & 0xf)?;
		let number = match (tag, head >> 4) {
			(Tag::Stop, _) => before,
			(_, 0) => self.int()?,
			(_, step) => before.saturating_add(i64::from(step)),
		};
		Ok((number, tag))
	}

	/// Reads the head of a list: how many elements it has, and what they are.
	pub(crate) fn list(&mut self) -> Result<(u64, Tag), ParquetError> {
		let head = self.byte()?;
		let count = match head >> 4 {
			15 => self.varint()?,
			count => u64::from(count),
		};
		Ok((count, Tag::read(head & 0xf)?))
	}

	/// Skips a value.
	pub(crate) fn skip(&mut self, tag: Tag) -> Result<(), ParquetError> {
		self.skip_field(tag, DEEPEST)
	}

	/// Skips the value of a field. A boolean has no bytes there: its tag says it all.
	fn skip_field(&mut self, tag: Tag, deeper: u8) -> Result<(), ParquetError> {
		match tag {
			Tag::Bool => Ok(()),
			tag => self.skip_element(tag, deeper),
		}
	}

	/// Skips an element of a list or a map, which has at least one byte: bytes end before a count that lies does.
	fn skip_element(&mut self, tag: Tag, deeper: u8) -> Result<(), ParquetError> {
		let deeper = deeper
			.checked_sub(1)
			.ok_or(ParquetError::Malformed("values too deep in each other"))?;
		match tag {
			Tag::Stop => return Err(ParquetError::Malformed("an end that ends nothing")),
			Tag::Bool | Tag::Byte => drop(self.byte()?),
			Tag::Int => drop(self.varint()?),
			Tag::Double => drop(self.take(8)?),
			Tag::Binary => {
				let length = self.varint()?;
				self.take(length)?;
			}
			Tag::List => {
				let (count, tag) = self.list()?;
				for _ in 0..count {
					self.skip_element(tag, deeper)?;
				}
			}
			Tag::Map => {
				let count = self.varint()?;
				if count > 0 {
					let tags = self.byte()?;
					let (key, value) = (Tag::read(tags >> 4)?, Tag::read(tags & 0xf)?);
					for _ in 0..count {
						self.skip_element(key, deeper)?;
						self.skip_element(value, deeper)?;
					}
				}
			}
			Tag::Struct => {
				let mut number = 0;
				loop {
					let (next, tag) = self.field(number)?;
					if tag == Tag::Stop {
						break;
					}
					self.skip_field(tag, deeper)?;
					number = next;
				}
			}
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn integers_are_those_of_the_protocol() {
		for (bytes, value) in [
			(&[0][..], 0),
			(&[1], -1),
			(&[2], 1),
			(&[0xac, 0x02], 150),
			(
				&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
				i64::MAX,
			),
			(
				&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
				i64::MIN,
			),
		] {
			assert_eq!(Reader::new(bytes).int(), Ok(value));
		}
		assert_eq!(Reader::new(&[0x80]).int(), Err(ParquetError::Short));
		let long = Reader::new(&[0xff; 11]).int();
		assert!(matches!(long, Err(ParquetError::Malformed(_))));
	}

	#[test]
	fn what_is_skipped_ends_where_it_ends() {
		// A struct with a boolean, a long, a list of two texts, and a map of a byte to a double; then 7.
		let bytes = [
			0x11, 0x16, 0x04, 0x19, 0x28, 1, b'a', 0, 0x1b, 1, 0x37, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			7,
		];
		let mut reader = Reader::new(&bytes);
		assert_eq!(reader.skip(Tag::Struct), Ok(()));
		assert_eq!(reader.byte(), Ok(7));
	}

	#[test]
	fn depths_and_counts_that_lie_are_refused() {
		let deep = [0x1c; 1000];
		let deep = Reader::new(&deep).skip(Tag::Struct);
		assert_eq!(
			deep,
			Err(ParquetError::Malformed("values too deep in each other"))
		);
		let many = [0xf8, 0xff, 0xff, 0xff, 0xff, 0x0f];
		assert_eq!(Reader::new(&many).skip(Tag::List), Err(ParquetError::Short));
		let text = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
		assert_eq!(Reader::new(&text).text(), Err(ParquetError::Short));
	}
}
