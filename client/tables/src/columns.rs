// SPDX-License-Identifier: Apache-2.0
//! Columns, and how Spark and Delta Sharing write them:
//! <https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md#schema-object>.

use serde_json::{json, Value};

/// A column, or a field of a column that is a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
	/// Its name.
	pub name: String,
	/// What its values are.
	pub kind: Kind,
	/// Whether values may be missing.
	pub nullable: bool,
}

/// What the values of a column are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
	/// True or false.
	Boolean,
	/// Signed integers of one byte.
	Byte,
	/// Signed integers of two bytes.
	Short,
	/// Signed integers of four bytes.
	Integer,
	/// Signed integers of eight bytes.
	Long,
	/// Floating-point numbers of four bytes.
	Float,
	/// Floating-point numbers of eight bytes.
	Double,
	/// Decimal numbers.
	Decimal {
		/// How many digits they have.
		precision: u8,
		/// How many of these are after the point.
		scale: u8,
	},
	/// Texts.
	String,
	/// Bytes.
	Binary,
	/// Days.
	Date,
	/// Points in time.
	Timestamp,
	/// Lists.
	Array {
		/// What is in a list.
		element: Box<Kind>,
		/// Whether elements may be missing.
		nullable: bool,
	},
	/// Maps.
	Map {
		/// What the keys are.
		key: Box<Kind>,
		/// What the values are.
		value: Box<Kind>,
		/// Whether values may be missing.
		nullable: bool,
	},
	/// Several fields.
	Struct(Vec<Column>),
}

impl Column {
	/// Returns about how many bytes of memory the column takes, with those inside of it.
	pub fn memory(&self) -> usize {
		size_of::<Self>() + self.name.len() + self.kind.memory()
	}
}

/// Writes the columns of a table as Spark's JSON.
pub fn schema(columns: &[Column]) -> Value {
	let field = |column: &Column| {
		json!({
			"name": column.name,
			"type": column.kind.json(),
			"nullable": column.nullable,
			"metadata": {},
		})
	};
	let fields: Vec<Value> = columns.iter().map(field).collect();
	json!({ "type": "struct", "fields": fields })
}

impl Kind {
	/// Returns about how many bytes of memory the kinds and the columns inside of it take.
	fn memory(&self) -> usize {
		let boxed = |kind: &Self| size_of::<Self>() + kind.memory();
		match self {
			Self::Array { element, .. } => boxed(element),
			Self::Map { key, value, .. } => boxed(key) + boxed(value),
			Self::Struct(columns) => columns.iter().map(Column::memory).sum(),
			_ => 0,
		}
	}

	fn json(&self) -> Value {
		match self {
			Self::Boolean => "boolean".into(),
			Self::Byte => "byte".into(),
			Self::Short => "short".into(),
			Self::Integer => "integer".into(),
			Self::Long => "long".into(),
			Self::Float => "float".into(),
			Self::Double => "double".into(),
			Self::Decimal { precision, scale } => format!("decimal({precision},{scale})").into(),
			Self::String => "string".into(),
			Self::Binary => "binary".into(),
			Self::Date => "date".into(),
			Self::Timestamp => "timestamp".into(),
			Self::Array { element, nullable } => json!({
				"type": "array",
				"elementType": element.json(),
				"containsNull": nullable,
			}),
			Self::Map {
				key,
				value,
				nullable,
			} => json!({
				"type": "map",
				"keyType": key.json(),
				"valueType": value.json(),
				"valueContainsNull": nullable,
			}),
			Self::Struct(columns) => schema(columns),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn column(name: &str, kind: Kind, nullable: bool) -> Column {
		Column {
			name: name.into(),
			kind,
			nullable,
		}
	}

	#[test]
	fn what_is_inside_of_a_column_counts_as_its_memory() {
		let one = column("abc", Kind::Long, true);
		assert_eq!(one.memory(), size_of::<Column>() + 3);
		let inner = Kind::Struct(vec![one.clone(), one.clone()]);
		let list = Kind::Array {
			element: Box::new(inner),
			nullable: true,
		};
		let expected = size_of::<Column>() + 1 + size_of::<Kind>() + 2 * one.memory();
		assert_eq!(column("l", list, true).memory(), expected);
	}

	/// The example of the protocol's page, without its comment.
	#[test]
	fn columns_are_written_as_the_protocol_has_them() {
		let inner = || Kind::Struct(vec![column("d", Kind::Integer, false)]);
		let array = |element: Kind, nullable| Kind::Array {
			element: Box::new(element),
			nullable,
		};
		let map = Kind::Map {
			key: Box::new(Kind::String),
			value: Box::new(Kind::String),
			nullable: true,
		};
		let columns = [
			column("a", Kind::Integer, false),
			column("b", inner(), true),
			column("c", array(Kind::Integer, false), true),
			column("e", array(inner(), true), true),
			column("f", map, true),
		];
		let inner = json!({
			"type": "struct",
			"fields": [{ "name": "d", "type": "integer", "nullable": false, "metadata": {} }],
		});
		let expected = json!({ "type": "struct", "fields": [
			{ "name": "a", "type": "integer", "nullable": false, "metadata": {} },
			{ "name": "b", "type": inner, "nullable": true, "metadata": {} },
			{
				"name": "c",
				"type": { "type": "array", "elementType": "integer", "containsNull": false },
				"nullable": true,
				"metadata": {},
			},
			{
				"name": "e",
				"type": { "type": "array", "elementType": inner, "containsNull": true },
				"nullable": true,
				"metadata": {},
			},
			{
				"name": "f",
				"type": {
					"type": "map",
					"keyType": "string",
					"valueType": "string",
					"valueContainsNull": true,
				},
				"nullable": true,
				"metadata": {},
			},
		] });
		assert_eq!(schema(&columns), expected);
	}

	#[test]
	fn every_kind_has_a_word() {
		let decimal = Kind::Decimal {
			precision: 10,
			scale: 2,
		};
		for (kind, word) in [
			(Kind::Boolean, "boolean"),
			(Kind::Byte, "byte"),
			(Kind::Short, "short"),
			(Kind::Long, "long"),
			(Kind::Float, "float"),
			(Kind::Double, "double"),
			(decimal, "decimal(10,2)"),
			(Kind::Binary, "binary"),
			(Kind::Date, "date"),
			(Kind::Timestamp, "timestamp"),
		] {
			assert_eq!(kind.json(), word);
		}
	}
}
