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
use scale_info::{
	form::PortableForm, Field, PortableRegistry, Type, TypeDef, TypeDefPrimitive, Variant,
};
use std::{collections::BTreeMap, fmt, ops::RangeInclusive, panic, sync::LazyLock};
use subxt::Metadata;

/// The table, as a module of JavaScript: `export default` and JSON.
const TABLE: &str = include_str!("../../../scripts/lib/sharing/layouts.mjs");
/// What stands before the JSON.
const BEFORE: &str = "export default ";
/// The types that clients encode by their own rules, and not by the metadata. Each call within a call is compared on its own.
const NOT_DESCRIBED: [&str; 2] = [
	"isthmus_runtime::RuntimeCall",
	"sp_runtime::generic::era::Era",
];
/// The types that `@polkadot/api` encodes by their parameters, and no text describes. No call of the chain has one.
const BY_PARAMETERS: [&str; 5] = ["Result", "Range", "RangeInclusive", "BTreeMap", "BTreeSet"];
/// The same, in any module.
const OPAQUE: [&str; 2] = ["WrapperOpaque", "WrapperKeepOpaque"];
/// The texts about what no text describes. They are like nothing in the table.
const ENDLESS: &str = "types without end";
const NO_NAME: &str = "a name with other characters than letters, digits and underscores";
const NO_TEXT: &str = "a type that its parameters describe";
/// What differs if the table does not have the transaction version.
const VERSION: &str = "the transaction version";
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
	/// Returns whether the table does not have the transaction version, so that nothing else was compared.
	pub(crate) fn is_of_version(&self) -> bool {
		self.what == VERSION
	}

	/// Returns what else than a lie may be the reason, for the end of an error.
	pub(crate) fn unless(&self) -> &'static str {
		match self.is_of_version() {
			true => "; if the chain was upgraded, wait until that is final, and try again",
			false => "",
		}
	}

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
		self.same_extensions(&extension_texts(metadata))
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
		Difference::new(VERSION, &versions, &version.to_string())
	})
}

/// Returns the oldest and the newest version of the runtime that the table was compared with.
pub(crate) fn runtimes() -> RangeInclusive<u32> {
	let versions = || LAYOUTS.iter().map(|layout| layout.spec_version);
	versions().min().unwrap_or_default()..=versions().max().unwrap_or_default()
}

/// Returns the texts about the extensions of transactions, or none if the metadata has none.
fn extension_texts(metadata: &Metadata) -> Vec<String> {
	let types = metadata.types();
	let texts = |version| {
		let extensions = metadata
			.extrinsic()
			.transaction_extensions_by_version(version)?;
		let texts = extensions.map(|extension| {
			let (extra, additional) = (extension.extra_ty(), extension.additional_ty());
			extension_text(types, extension.identifier(), extra, additional)
		});
		Some(texts.collect())
	};
	// The newest version, as `subxt` chooses. It panics if the metadata says that a version has an extension that there is
	// not, and does not show what the metadata says of that.
	let texts = panic::catch_unwind(|| (0..=u8::MAX).rev().find_map(texts));
	texts.ok().flatten().unwrap_or_default()
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
	text.name(identifier);
	text.out.push('(');
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
	/// What stands for the text if something cannot be written.
	failed: Option<&'static str>,
}

impl<'a> Text<'a> {
	fn new(types: &'a PortableRegistry) -> Self {
		Self {
			types,
			out: String::new(),
			within: Vec::new(),
			failed: None,
		}
	}

	/// Returns the text. What cannot be written is like nothing in the table.
	fn end(self) -> String {
		self.failed.map_or(self.out, str::to_owned)
	}

	fn fail(&mut self, why: &'static str) {
		self.failed.get_or_insert(why);
	}

	/// Adds a name that the metadata gives. With other characters in it, one text could describe two types.
	fn name(&mut self, name: &str) {
		let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
		match !name.is_empty() && name.bytes().all(is_name) {
			true => self.out.push_str(name),
			false => self.fail(NO_NAME),
		}
	}

	/// Adds a type.
	fn add(&mut self, id: u32) {
		if let Some(up) = self.within.iter().rev().position(|outer| *outer == id) {
			self.out.push_str(&format!("^{up}"));
			return;
		}
		if self.failed.is_some() {
			return;
		}
		let is_too_much = self.within.len() >= DEEPEST || self.out.len() > LONGEST;
		let (Some(described), false) = (self.types.resolve(id), is_too_much) else {
			return self.fail(ENDLESS);
		};
		if !is_described(described) {
			return self.fail(NO_TEXT);
		}
		// All of the path: `@polkadot/api` encodes some types by it.
		for (at, segment) in described.path.segments.iter().enumerate() {
			if at > 0 {
				self.out.push_str("::");
			}
			self.name(segment);
		}
		if NOT_DESCRIBED.contains(&&*described.path.segments.join("::")) {
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
					text.out.push_str(&format!("{}:", variant.index));
					text.name(&variant.name);
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
				text.name(name);
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

/// Returns whether the text about a type says all of how it is encoded. `@polkadot/api` encodes some types by their parameters,
/// and a primitive type with a path could look like another one.
fn is_described(described: &Type<PortableForm>) -> bool {
	let (Some(first), Some(last)) = (
		described.path.segments.first(),
		described.path.segments.last(),
	) else {
		return true;
	};
	if BY_PARAMETERS.contains(&first.as_str()) || OPAQUE.contains(&last.as_str()) {
		return false;
	}
	match &described.type_def {
		TypeDef::Primitive(_) | TypeDef::BitSequence(_) => false,
		TypeDef::Variant(variants) if first == "Option" => {
			let ([none, some], [parameter]) = (&*variants.variants, &*described.type_params) else {
				return false;
			};
			let [field] = &*some.fields else {
				return false;
			};
			none.fields.is_empty() && parameter.ty == Some(field.ty)
		}
		_ => first != "Option",
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
