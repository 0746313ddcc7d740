// SPDX-License-Identifier: Apache-2.0
//! Cards of datasets: Croissant 1.1, which is schema.org's Dataset in JSON-LD. Programs that search for data read it.
//! <https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html>
//!
//! The map of leaves is of our own: no vocabulary has one.

use crate::columns::{Column, Kind};
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;

/// The name space of our own words.
const OWN: &str = "urn:isthmus:card:";
/// What a card says that it conforms to.
const CONFORMS: &str = "http://mlcommons.org/croissant/1.1";

/// What a card says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
	/// The owner's address.
	pub owner: String,
	/// The name under which the owner is registered.
	pub owner_name: String,
	/// The dataset's number.
	pub dataset: u32,
	/// The dataset's name.
	pub name: String,
	/// What is in it.
	pub description: String,
	/// The address of its licence, or its name.
	pub license: Option<String>,
	/// The day on which the card was made, such as 2025-03-31.
	pub date: String,
	/// Words to find it by.
	pub keywords: Vec<String>,
	/// The epoch whose leaves have these names.
	pub epoch: u32,
	/// What leaves are called, such as 2025-03.
	pub leaves: BTreeMap<u64, String>,
	/// The kinds of files in it, with their columns.
	pub tables: Vec<Files>,
}

/// Files of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
	/// What they are called together, such as `marks`.
	pub name: String,
	/// Their media type.
	pub format: String,
	/// Which files they are, such as `*.parquet`.
	pub includes: Vec<String>,
	/// Their columns.
	pub columns: Vec<Column>,
}

/// Why a text is not a dataset's card.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
	/// It is not JSON.
	#[error("the card is not JSON: {0}")]
	Json(String),
	/// It lacks something, or says something else.
	#[error("the card has to have {0}")]
	Lacks(String),
}

/// Returns the address of a dataset in cards.
pub fn url(owner: &str, dataset: u32) -> String {
	format!("isthmus://{owner}/{dataset}")
}

impl Card {
	/// Writes the card.
	pub fn json(&self) -> Value {
		let mut card = json!({
			"@context": context(),
			"@type": "sc:Dataset",
			"conformsTo": CONFORMS,
			"name": self.name,
			"description": self.description,
			"url": url(&self.owner, self.dataset),
			"creator": { "@type": "sc:Organization", "name": self.owner_name, "identifier": self.owner },
			"datePublished": self.date,
			"version": self.version(),
			"distribution": self.tables.iter().map(Files::distribution).collect::<Vec<_>>(),
			"recordSet": self.tables.iter().map(Files::record_set).collect::<Vec<_>>(),
		});
		if let Some(license) = &self.license {
			card["license"] = json!(license);
		}
		if !self.keywords.is_empty() {
			card["keywords"] = json!(self.keywords);
		}
		if !self.leaves.is_empty() {
			let leaf = |(number, name): (&u64, &String)| json!({ "@type": "isthmus:Leaf", "isthmus:number": number, "name": name });
			card["isthmus:epoch"] = json!(self.epoch);
			card["isthmus:leaf"] = self.leaves.iter().map(leaf).collect();
		}
		card
	}
}

impl Card {
	/// Returns the day as a version, which Croissant wants to have three numbers.
	fn version(&self) -> String {
		let numbers = self
			.date
			.split('-')
			.map(|part| part.trim_start_matches('0'));
		numbers.collect::<Vec<_>>().join(".")
	}
}

impl Files {
	fn distribution(&self) -> Value {
		json!({
			"@type": "cr:FileSet",
			"@id": self.name,
			"name": self.name,
			"encodingFormat": self.format,
			"includes": self.includes,
		})
	}

	fn record_set(&self) -> Value {
		let id = format!("{}/rows", self.name);
		let fields = self
			.columns
			.iter()
			.map(|column| self.field(&id, column, &column.name));
		json!({
			"@type": "cr:RecordSet",
			"@id": id,
			"name": id,
			"field": fields.collect::<Vec<_>>(),
		})
	}

	fn field(&self, above: &str, column: &Column, path: &str) -> Value {
		let id = format!("{above}/{}", column.name);
		let (kind, depth) = inside(&column.kind);
		let mut field = json!({
			"@type": "cr:Field",
			"@id": id,
			"name": column.name,
			"source": { "fileSet": { "@id": self.name }, "extract": { "column": path } },
		});
		if depth > 0 {
			field["isArray"] = json!(true);
			field["arrayShape"] = json!(vec!["-1"; depth].join(","));
		}
		match kind {
			Kind::Struct(columns) => {
				let parts = columns.iter().map(|part| self.field(&id, part, path));
				field["subField"] = parts.collect();
			}
			kind => field["dataType"] = json!(data_type(kind)),
		}
		field
	}
}

/// Returns what is in lists, and how many lists are in each other.
fn inside(mut kind: &Kind) -> (&Kind, usize) {
	let mut depth = 0;
	while let Kind::Array { element, .. } = kind {
		(kind, depth) = (element, depth + 1);
	}
	(kind, depth)
}

fn data_type(kind: &Kind) -> &'static str {
	match kind {
		Kind::Boolean => "sc:Boolean",
		Kind::Byte => "cr:Int8",
		Kind::Short => "cr:Int16",
		Kind::Integer => "cr:Int32",
		Kind::Long => "cr:Int64",
		Kind::Float => "cr:Float32",
		Kind::Double => "cr:Float64",
		Kind::Decimal { .. } => "sc:Float",
		Kind::Date => "sc:Date",
		Kind::Timestamp => "sc:DateTime",
		// Croissant has no bytes and no maps.
		Kind::String | Kind::Binary | Kind::Map { .. } | Kind::Array { .. } | Kind::Struct(_) => {
			"sc:Text"
		}
	}
}

/// Returns what Croissant's words stand for, as its page has them, and ours.
fn context() -> Value {
	let mut context = json!({
		"@language": "en",
		"@vocab": "https://schema.org/",
		"cr": "http://mlcommons.org/croissant/",
		"data": { "@id": "cr:data", "@type": "@json" },
		"dataType": { "@id": "cr:dataType", "@type": "@vocab" },
		"dct": "http://purl.org/dc/terms/",
		"conformsTo": "dct:conformsTo",
		"description": { "@container": "@language" },
		"examples": { "@id": "cr:examples", "@type": "@json" },
		"isthmus": OWN,
		"name": { "@container": "@language" },
		"rai": "http://mlcommons.org/croissant/RAI/",
		"sc": "https://schema.org/",
	});
	const WORDS: [&str; 26] = [
		"arrayShape",
		"citeAs",
		"column",
		"containedIn",
		"equivalentProperty",
		"extract",
		"field",
		"fileObject",
		"fileProperty",
		"fileSet",
		"format",
		"includes",
		"isArray",
		"isLiveDataset",
		"jsonPath",
		"key",
		"md5",
		"parentField",
		"path",
		"recordSet",
		"references",
		"regex",
		"repeated",
		"replace",
		"samplingRate",
		"separator",
	];
	const MORE: [&str; 3] = ["source", "subField", "transform"];
	for word in WORDS.into_iter().chain(MORE) {
		context[word] = json!(format!("cr:{word}"));
	}
	context
}

/// What a card says that programs look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
	/// The dataset's name.
	pub name: String,
	/// What is in it.
	pub description: String,
	/// The address of its licence, or its name.
	pub license: Option<String>,
	/// The day on which the card was made.
	pub date: Option<String>,
	/// Words to find it by.
	pub keywords: Vec<String>,
	/// The epoch whose leaves have these names; `None` if the card does not say it.
	pub epoch: Option<u32>,
	/// What leaves are called.
	pub leaves: BTreeMap<u64, String>,
	/// The media types of its files.
	pub formats: Vec<String>,
	/// The names of its columns.
	pub columns: Vec<String>,
}

/// Reads the card of a dataset, and checks it as far as that can be done without the chain.
///
/// # Errors
///
/// Returns a [`CardError`] if the text is not such a card.
pub fn read(text: &[u8], owner: &str, dataset: u32) -> Result<Summary, CardError> {
	let card: Map<String, Value> =
		serde_json::from_slice(text).map_err(|error| CardError::Json(error.to_string()))?;
	let says = |field: &str, value: &str| match card.get(field).and_then(Value::as_str) {
		Some(found) if found == value => Ok(()),
		_ => Err(CardError::Lacks(format!("{field:?}: {value:?}"))),
	};
	says("@type", "sc:Dataset")?;
	says("conformsTo", CONFORMS)?;
	says("url", &url(owner, dataset))?;
	let written = |field: &str| match card.get(field).and_then(Value::as_str) {
		Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
		_ => Err(CardError::Lacks(format!("a text as {field:?}"))),
	};
	let text = |value: &Value| value.as_str().map(str::to_owned);
	let of_card = |field: &str| card.get(field).map_or_else(Vec::new, several);
	let within = |of: &str, field: &str| {
		let inner = of_card(of).into_iter();
		let inner = inner.filter_map(|item| item.get(field).map(several));
		inner.flatten().collect::<Vec<_>>()
	};
	let fields = within("recordSet", "field");
	let mut formats: Vec<_> = within("distribution", "encodingFormat")
		.iter()
		.filter_map(text)
		.collect();
	formats.sort_unstable();
	formats.dedup();
	Ok(Summary {
		name: written("name")?,
		description: written("description")?,
		license: card.get("license").and_then(text),
		date: card.get("datePublished").and_then(text),
		keywords: of_card("keywords").iter().filter_map(text).collect(),
		epoch: card.get("isthmus:epoch").map(epoch).transpose()?,
		leaves: leaves(&of_card("isthmus:leaf"))?,
		formats,
		columns: fields
			.iter()
			.filter_map(|field| field.get("name").and_then(text))
			.collect(),
	})
}

/// Returns the items of a list. JSON-LD writes a list of one item also as the item.
fn several(value: &Value) -> Vec<Value> {
	match value {
		Value::Array(items) => items.clone(),
		item => vec![item.clone()],
	}
}

/// Reads the number of an epoch.
fn epoch(value: &Value) -> Result<u32, CardError> {
	let number = value.as_u64().and_then(|number| number.try_into().ok());
	number.ok_or_else(|| CardError::Lacks("the number of an epoch as \"isthmus:epoch\"".into()))
}

/// Reads the map of leaves.
fn leaves(listed: &[Value]) -> Result<BTreeMap<u64, String>, CardError> {
	let lacks = || {
		let words = "a number and a name for each \"isthmus:leaf\", and no number twice";
		CardError::Lacks(words.into())
	};
	let mut leaves = BTreeMap::new();
	for leaf in listed {
		let number = leaf.get("isthmus:number").and_then(Value::as_u64);
		let name = leaf.get("name").and_then(Value::as_str);
		let (Some(number), Some(name)) = (number, name.filter(|name| !name.is_empty())) else {
			return Err(lacks());
		};
		if leaves.insert(number, name.to_owned()).is_some() {
			return Err(lacks());
		}
	}
	Ok(leaves)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn card() -> Card {
		let column = |name: &str, kind| Column {
			name: name.into(),
			kind,
			nullable: true,
		};
		let array = |kind| Kind::Array {
			element: Box::new(kind),
			nullable: true,
		};
		let place = Kind::Struct(vec![column("town", Kind::String)]);
		let files = Files {
			name: "marks".into(),
			format: "text/csv".into(),
			includes: vec!["*.csv".into()],
			columns: vec![
				column("mark", Kind::Long),
				column("grid", array(array(Kind::Float))),
				column("places", array(place)),
			],
		};
		Card {
			owner: "5FHne".into(),
			owner_name: "High School".into(),
			dataset: 3,
			name: "marks".into(),
			description: "Marks of all pupils".into(),
			license: Some("https://spdx.org/licenses/CC-BY-4.0".into()),
			date: "2025-03-31".into(),
			keywords: vec!["school".into()],
			epoch: 1,
			leaves: BTreeMap::from([(2, "2025-03".into())]),
			tables: vec![files],
		}
	}

	#[test]
	fn a_card_says_what_is_in_a_dataset() {
		let json = card().json();
		assert_eq!(json["url"], "isthmus://5FHne/3");
		assert_eq!(
			(&json["datePublished"], &json["version"]),
			(&json!("2025-03-31"), &json!("2025.3.31"))
		);
		assert_eq!(json["creator"]["identifier"], "5FHne");
		assert_eq!(json["distribution"][0]["includes"], json!(["*.csv"]));
		assert_eq!(json["@context"]["subField"], "cr:subField");
		let leaf = json!([{ "@type": "isthmus:Leaf", "isthmus:number": 2, "name": "2025-03" }]);
		assert_eq!(
			(&json["isthmus:leaf"], &json["isthmus:epoch"]),
			(&leaf, &json!(1))
		);
		let fields = &json["recordSet"][0]["field"];
		let source = json!({ "fileSet": { "@id": "marks" }, "extract": { "column": "mark" } });
		assert_eq!(
			(&fields[0]["dataType"], &fields[0]["source"]),
			(&json!("cr:Int64"), &source)
		);
		assert_eq!(
			(&fields[1]["arrayShape"], &fields[1]["dataType"]),
			(&json!("-1,-1"), &json!("cr:Float32"))
		);
		assert_eq!(fields[2]["subField"][0]["@id"], "marks/rows/places/town");
		assert!(fields[2].get("dataType").is_none());
		// Every word has a meaning in the context, or in schema.org.
		let bare = Card {
			license: None,
			keywords: Vec::new(),
			leaves: BTreeMap::new(),
			..card()
		};
		for field in ["license", "keywords", "isthmus:leaf", "isthmus:epoch"] {
			assert!(bare.json().get(field).is_none() && json.get(field).is_some());
		}
	}

	#[test]
	fn a_card_is_of_one_dataset() {
		let json = card().json();
		let checked = |json: &Value| read(json.to_string().as_bytes(), "5FHne", 3);
		let said = Summary {
			name: "marks".into(),
			description: "Marks of all pupils".into(),
			license: Some("https://spdx.org/licenses/CC-BY-4.0".into()),
			date: Some("2025-03-31".into()),
			keywords: vec!["school".into()],
			epoch: Some(1),
			leaves: BTreeMap::from([(2, "2025-03".into())]),
			formats: vec!["text/csv".into()],
			columns: ["mark", "grid", "places"].map(str::to_owned).into(),
		};
		assert_eq!(checked(&json), Ok(said.clone()));
		// A list of one item may be written as the item.
		let mut single = json.clone();
		for field in ["keywords", "isthmus:leaf", "recordSet", "distribution"] {
			single[field] = json[field][0].clone();
		}
		assert_eq!(checked(&single), Ok(said.clone()));
		// Cards that were made before epochs were in them.
		let mut older = json.clone();
		older.as_object_mut().unwrap().remove("isthmus:epoch");
		assert_eq!(
			checked(&older),
			Ok(Summary {
				epoch: None,
				..said
			})
		);
		for (field, value, words) in [
			("@type", json!("sc:Book"), "\"@type\": \"sc:Dataset\""),
			("conformsTo", json!(1), "croissant/1.1"),
			("url", json!("isthmus://5FHne/4"), "isthmus://5FHne/3"),
			("name", json!(""), "a text as \"name\""),
			("description", json!(["x"]), "a text as \"description\""),
			("isthmus:epoch", json!("1"), "the number of an epoch"),
			(
				"isthmus:epoch",
				json!(1_u64 << 32),
				"the number of an epoch",
			),
			(
				"isthmus:leaf",
				json!({ "name": "x" }),
				"a number and a name",
			),
			(
				"isthmus:leaf",
				json!([{ "isthmus:number": -1, "name": "x" }]),
				"a number and a name",
			),
			(
				"isthmus:leaf",
				json!([
					{ "isthmus:number": 1, "name": "x" },
					{ "isthmus:number": 1, "name": "y" },
				]),
				"no number twice",
			),
		] {
			let mut other = json.clone();
			other[field] = value;
			let refused = checked(&other).unwrap_err().to_string();
			assert!(refused.contains(words), "{refused}");
		}
		for text in ["", "[]", "x"] {
			assert!(matches!(
				read(text.as_bytes(), "5FHne", 3),
				Err(CardError::Json(_))
			));
		}
	}

	/// Returns what a card says, as the vectors write it.
	fn told(said: &Summary) -> Map<String, Value> {
		let leaves = said.leaves.iter();
		let leaves: Map<_, _> = leaves
			.map(|(leaf, name)| (leaf.to_string(), json!(name)))
			.collect();
		let told = json!({
			"name": said.name,
			"description": said.description,
			"license": said.license,
			"date": said.date,
			"keywords": said.keywords,
			"epoch": said.epoch,
			"leaves": leaves,
			"formats": said.formats,
			"columns": said.columns,
		});
		told.as_object().unwrap().clone()
	}

	/// The JavaScript library reads the same cards, and refuses the same in the same words.
	#[test]
	fn the_vectors_pass() {
		let vectors: Value = serde_json::from_str(include_str!("../vectors-cards.json")).unwrap();
		let card = vectors["card"].as_object().unwrap();
		let checked = |card: &Map<String, Value>| {
			read(json!(card).to_string().as_bytes(), "5FHne", 3).map(|said| told(&said))
		};
		let says = vectors["says"].as_object().unwrap();
		assert_eq!(checked(card).as_ref(), Ok(says));
		let changes = vectors["changes"].as_array().unwrap();
		assert!(changes.len() >= 30);
		for change in changes {
			let mut other = card.clone();
			let field = change["field"].as_str().unwrap();
			match change.get("value") {
				Some(value) => other.insert(field.to_owned(), value.clone()),
				None => other.remove(field),
			};
			let expected = match change["says"].as_object() {
				Some(now) => {
					let mut says = says.clone();
					says.extend(now.clone());
					Ok(says)
				}
				None => Err(change["sentence"].as_str().unwrap().to_owned()),
			};
			let read = checked(&other).map_err(|error| error.to_string());
			assert_eq!(read, expected, "{change}");
		}
		for text in vectors["notJson"].as_array().unwrap() {
			let read = read(text.as_str().unwrap().as_bytes(), "5FHne", 3);
			assert!(matches!(read, Err(CardError::Json(_))), "{text}");
		}
	}

	proptest! {
		/// A card that was damaged on its way is read, or refused.
		#[test]
		fn a_damaged_card_makes_no_panic(
			damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
		) {
			let mut text = card().json().to_string().into_bytes();
			for (at, byte) in damages {
				let at = at.index(text.len());
				text[at] = byte;
			}
			let _ = read(&text, "5FHne", 3);
		}
	}
}
