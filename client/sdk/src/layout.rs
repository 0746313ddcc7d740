// SPDX-License-Identifier: Apache-2.0
//! The layout of what is signed: the index and the arguments of each call, and the extensions of a transaction.
//!
//! Calls are encoded by the metadata that a node gives, and a node could exchange two calls with arguments of the same
//! types. So what is signed is first compared with a table that comes with this program. There is one layout for each
//! `transaction_version`: it rises when the encoding of a call or of an extension changes, and a signature covers it, so
//! that a false one is worth nothing on the chain.
//!
//! The table, `scripts/lib/sharing/layouts.mjs`, is the JavaScript library's, too. `scripts/layouts.mjs` renews it.

use crate::types::Shown;
use scale_info::{form::PortableForm, Field, PortableRegistry, TypeDef, TypeDefPrimitive, Variant};
use std::{collections::BTreeMap, fmt, sync::LazyLock};
use subxt::Metadata;

/// The table, as a module of JavaScript: `export default` and JSON.
const TABLE: &str = include_str!("../../../scripts/lib/sharing/layouts.mjs");
/// What stands before the JSON.
const BEFORE: &str = "export default ";
/// The types that clients encode by their own rules, and not by the metadata. Each call within a call is compared on its own.
const NOT_DESCRIBED: [&str; 2] = ["RuntimeCall", "Era"];
/// How deep types may be in each other, and how long the text about one may be. The chain's types are far below.
const DEEPEST: usize = 32;
const LONGEST: usize = 16 << 10;
/// How much of a text an error shows.
const SHOWN: usize = 100;

/// What belongs to a `transaction_version`.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Layout {
	transaction_version: u32,
	/// The newest version of the runtime that it was compared with.
	spec_version: u32,
	/// The extensions, in their order.
	extensions: Vec<String>,
	/// The index and the arguments of each call, by `Pallet.call`.
	calls: BTreeMap<String, String>,
}

static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| read(TABLE).unwrap_or_default());

/// Reads the table.
fn read(table: &str) -> Option<Vec<Layout>> {
	let (_, json) = table.split_once(BEFORE)?;
	serde_json::from_str(json.trim_end().strip_suffix(';')?).ok()
}

/// A difference between what a node says and the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
	/// What differs: a call, `the extensions of transactions`, or `the transaction version`.
	pub what: String,
	/// What the table says, or the part of it from where the texts differ.
	pub known: String,
	/// What the node says there.
	pub found: String,
}

impl fmt::Display for Difference {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { what, known, found } = self;
		write!(f, "{what}: `{found}`, and not `{known}`")
	}
}

impl Difference {
	fn new(what: &str, known: &str, found: &str) -> Self {
		let other = known
			.char_indices()
			.zip(found.chars())
			.find(|((_, one), two)| one != two);
		// Up to here, the texts are the same.
		let from = other.map_or(known.len().min(found.len()), |((at, _), _)| at);
		let part = |text: &str| match text.get(from..) {
			Some(rest) if text.len() > SHOWN => {
				let rest: String = rest.chars().take(SHOWN).collect();
				format!("…{}", Shown(&rest))
			}
			_ => Shown(text).to_string(),
		};
		Self {
			what: what.to_owned(),
			known: part(known),
			found: part(found),
		}
	}
}

impl Layout {
	/// Compares the extensions of transactions.
	///
	/// # Errors
	///
	/// Returns where they differ.
	pub(crate) fn check_extensions(&self, metadata: &Metadata) -> Result<(), Difference> {
		// The newest version, as `subxt` chooses.
		let extensions = (0..=u8::MAX).rev().find_map(|version| {
			metadata
				.extrinsic()
				.transaction_extensions_by_version(version)
		});
		let types = metadata.types();
		let found: Option<Vec<_>> = extensions.map(|extensions| {
			extensions
				.map(|extension| {
					let (extra, additional) = (extension.extra_ty(), extension.additional_ty());
					extension_text(types, extension.identifier(), extra, additional)
				})
				.collect()
		});
		self.same_extensions(&found.unwrap_or_default())
	}

	fn same_extensions(&self, found: &[String]) -> Result<(), Difference> {
		match self.extensions == found {
			true => Ok(()),
			false => Err(Difference::new(
				"the extensions of transactions",
				&self.extensions.join(" "),
				&found.join(" "),
			)),
		}
	}

	/// Compares a call. One that the metadata does not have is not signed anyway.
	///
	/// # Errors
	///
	/// Returns where it differs.
	pub(crate) fn check_call(
		&self,
		metadata: &Metadata,
		pallet: &str,
		call: &str,
	) -> Result<(), Difference> {
		let Some(found) = metadata.pallet_by_name(pallet) else {
			return Ok(());
		};
		let Some(variant) = found.call_variant_by_name(call) else {
			return Ok(());
		};
		let found = call_text(metadata.types(), found.call_index(), variant);
		self.same_call(pallet, call, &found)
	}

	fn same_call(&self, pallet: &str, call: &str, found: &str) -> Result<(), Difference> {
		let name = format!("{pallet}.{call}");
		let known = self.calls.get(&name).map_or("no such call", String::as_str);
		match known == found {
			true => Ok(()),
			false => Err(Difference::new(&name, known, found)),
		}
	}
}

/// Returns the layout of transactions of this version.
///
/// # Errors
///
/// Returns the difference if the table does not have the version.
pub(crate) fn layout(version: u32) -> Result<&'static Layout, Difference> {
	let known = |layout: &&Layout| layout.transaction_version == version;
	LAYOUTS.iter().find(known).ok_or_else(|| {
		let versions = LAYOUTS
			.iter()
			.map(|layout| layout.transaction_version.to_string());
		let versions = versions.collect::<Vec<_>>().join(", ");
		Difference::new("the transaction version", &versions, &version.to_string())
	})
}

/// Returns the newest version of the runtime that the table was compared with.
pub(crate) fn newest() -> u32 {
	let versions = LAYOUTS.iter().map(|layout| layout.spec_version);
	versions.max().unwrap_or_default()
}

/// Returns the text about a call: its pallet's and its own index, and its arguments.
fn call_text(types: &PortableRegistry, pallet: u8, call: &Variant<PortableForm>) -> String {
	let mut text = Text::new(types);
	text.out = format!("{pallet}.{}", call.index);
	text.fields(&call.fields);
	text.end()
}

/// Returns the text about an extension: its name, what it adds to a transaction, and what it adds to what is signed.
fn extension_text(
	types: &PortableRegistry,
	identifier: &str,
	extra: u32,
	additional: u32,
) -> String {
	let mut text = Text::new(types);
	text.out = format!("{identifier}(");
	text.add(extra);
	text.out.push(',');
	text.add(additional);
	text.out.push(')');
	text.end()
}

/// Writes how types are encoded. The metadata may say anything: it may be cyclic, or describe more than there is room for.
struct Text<'a> {
	types: &'a PortableRegistry,
	out: String,
	/// The types in which the one is that is written.
	within: Vec<u32>,
	/// Whether something could not be written.
	failed: bool,
}

impl<'a> Text<'a> {
	fn new(types: &'a PortableRegistry) -> Self {
		Self {
			types,
			out: String::new(),
			within: Vec::new(),
			failed: false,
		}
	}

	/// Returns the text. What cannot be written is like nothing in the table.
	fn end(self) -> String {
		match self.failed {
			true => "types without end".into(),
			false => self.out,
		}
	}

	/// Adds a type.
	fn add(&mut self, id: u32) {
		if let Some(up) = self.within.iter().rev().position(|outer| *outer == id) {
			self.out.push_str(&format!("^{up}"));
			return;
		}
		let is_too_much = self.within.len() >= DEEPEST || self.out.len() > LONGEST;
		let (Some(described), false, false) = (self.types.resolve(id), is_too_much, self.failed)
		else {
			self.failed = true;
			return;
		};
		let name = described.path.segments.last().map_or("", String::as_str);
		self.out.push_str(name);
		if NOT_DESCRIBED.contains(&name) {
			return;
		}
		self.within.push(id);
		self.definition(&described.type_def);
		self.within.pop();
	}

	fn definition(&mut self, definition: &TypeDef<PortableForm>) {
		match definition {
			TypeDef::Composite(composite) => self.fields(&composite.fields),
			TypeDef::Variant(variants) => {
				let mut variants: Vec<_> = variants.variants.iter().collect();
				variants.sort_by_key(|variant| variant.index);
				self.list("<", ">", &variants, |text, variant| {
					text.out
						.push_str(&format!("{}:{}", variant.index, variant.name));
					if !variant.fields.is_empty() {
						text.fields(&variant.fields);
					}
				});
			}
			TypeDef::Sequence(sequence) => {
				self.list("[", "]", &[sequence.type_param.id], |text, id| {
					text.add(*id);
				});
			}
			TypeDef::Array(array) => {
				let end = format!(";{}]", array.len);
				self.list("[", &end, &[array.type_param.id], |text, id| text.add(*id));
			}
			TypeDef::Tuple(tuple) => {
				self.list("(", ")", &tuple.fields, |text, field| text.add(field.id));
			}
			TypeDef::Primitive(primitive) => self.out.push_str(primitive_name(primitive)),
			TypeDef::Compact(compact) => {
				self.out.push('~');
				self.add(compact.type_param.id);
			}
			TypeDef::BitSequence(bits) => {
				let parts = [bits.bit_store_type.id, bits.bit_order_type.id];
				self.list("bits(", ")", &parts, |text, id| text.add(*id));
			}
		}
	}

	/// Adds fields, with their names if they have any.
	fn fields(&mut self, fields: &[Field<PortableForm>]) {
		self.list("(", ")", fields, |text, field| {
			if let Some(name) = &field.name {
				text.out.push_str(name);
				text.out.push(':');
			}
			text.add(field.ty.id);
		});
	}

	fn list<Item>(
		&mut self,
		begin: &str,
		end: &str,
		items: &[Item],
		add: impl Fn(&mut Self, &Item),
	) {
		self.out.push_str(begin);
		for (at, item) in items.iter().enumerate() {
			if at > 0 {
				self.out.push(',');
			}
			add(self, item);
		}
		self.out.push_str(end);
	}
}

fn primitive_name(primitive: &TypeDefPrimitive) -> &'static str {
	match primitive {
		TypeDefPrimitive::Bool => "bool",
		TypeDefPrimitive::Char => "char",
		TypeDefPrimitive::Str => "str",
		TypeDefPrimitive::U8 => "u8",
		TypeDefPrimitive::U16 => "u16",
		TypeDefPrimitive::U32 => "u32",
		TypeDefPrimitive::U64 => "u64",
		TypeDefPrimitive::U128 => "u128",
		TypeDefPrimitive::U256 => "u256",
		TypeDefPrimitive::I8 => "i8",
		TypeDefPrimitive::I16 => "i16",
		TypeDefPrimitive::I32 => "i32",
		TypeDefPrimitive::I64 => "i64",
		TypeDefPrimitive::I128 => "i128",
		TypeDefPrimitive::I256 => "i256",
	}
}

#[cfg(test)]
mod tests;
