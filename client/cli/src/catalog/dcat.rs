// SPDX-License-Identifier: Apache-2.0
//! Writes datasets as a catalogue in the terms of DCAT-AP 3, as JSON-LD.
//! <https://semiceu.github.io/DCAT-AP/releases/3.0.0/>

use super::{
	found::{plain, Found},
	odrl,
};
use crate::{
	describe::{CSV, PARQUET},
	text::{date, visible_json},
};
use isthmus_sdk::to_hex;
use serde::Serialize;
use serde_json::{json, Value};
use std::fmt;
use url::Url;

/// What the authority list of the European Union calls access that has to be granted.
const RESTRICTED: &str = "http://publications.europa.eu/resource/authority/access-right/RESTRICTED";

/// A catalogue.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Document(Value);

impl fmt::Display for Document {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		// What is escaped later in text would not be JSON any more.
		f.write_str(&visible_json(&format!("{:#}", self.0)))
	}
}

impl Document {
	/// Writes a catalogue of a chain.
	pub(super) fn new(chain: &str, genesis: &[u8; 32], found: &[Found]) -> Self {
		let datasets: Vec<Value> = found.iter().map(dataset).collect();
		Self(json!({
			"@context": context(),
			"@id": format!("urn:isthmus:chain:{}", hex::encode(genesis)),
			"@type": "dcat:Catalog",
			"dct:title": format!("Datasets of the chain {chain}"),
			"dct:description": format!("Encrypted datasets that are shared on the chain {chain}. Who wants to read one asks for a grant there."),
			"dct:identifier": to_hex(genesis),
			"dct:publisher": { "@type": "foaf:Agent", "foaf:name": chain },
			"dcat:dataset": datasets,
		}))
	}
}

/// Returns what the prefixes stand for. No other document has to be fetched.
fn context() -> Value {
	json!({
		"dcat": "http://www.w3.org/ns/dcat#",
		"dct": "http://purl.org/dc/terms/",
		"dpv": "https://w3id.org/dpv#",
		"foaf": "http://xmlns.com/foaf/0.1/",
		"ist": odrl::OWN,
		"odrl": "http://www.w3.org/ns/odrl/2/",
		"rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
		"sector-education": "https://w3id.org/dpv/sector/education#",
		"sector-health": "https://w3id.org/dpv/sector/health#",
		"skos": "http://www.w3.org/2004/02/skos/core#",
		"xsd": "http://www.w3.org/2001/XMLSchema#",
	})
}

fn dataset(found: &Found) -> Value {
	let entry = &found.entry;
	let (id, name) = (odrl::asset(entry), plain(&entry.dataset.name));
	let producer = entry.producer.as_ref();
	let publisher = producer.map_or_else(
		|| entry.controller.to_string(),
		|producer| plain(&producer.name),
	);
	let without = || format!("The dataset {name} of {publisher}, whose card is not known here");
	let said = found.said.as_ref();
	let mut dataset = json!({
		"@id": id,
		"@type": "dcat:Dataset",
		"dct:title": name,
		"dct:description": said.map_or_else(without, |said| said.description.clone()),
		"dct:identifier": id,
		"dct:accessRights": { "@id": RESTRICTED, "@type": "dct:RightsStatement" },
		"dct:publisher": {
			"@id": odrl::party(&entry.controller),
			"@type": "foaf:Agent",
			"foaf:name": publisher,
		},
	});
	if let Some(said) = said.filter(|said| !said.keywords.is_empty()) {
		dataset["dcat:keyword"] = json!(said.keywords);
	}
	if let Some(card) = &entry.card {
		let day = date(card.published / 86_400 * 86_400);
		dataset["dct:modified"] = json!({ "@value": day, "@type": "xsd:date" });
	}
	let offer = odrl::offer(entry);
	if let Some(offer) = &offer {
		dataset["odrl:hasPolicy"] = offer.clone();
	}
	let formats = said.map_or(&[][..], |said| said.formats.as_slice());
	let mut types: Vec<_> = formats
		.iter()
		.filter_map(|format| media_type(format))
		.collect();
	if types.is_empty() {
		types.push((String::new(), None));
	}
	let license = said.and_then(|said| said.license.as_deref());
	let distributions = types.into_iter().map(|(part, media)| {
		let mut distribution = json!({
			"@id": format!("{id}#files{part}"),
			"@type": "dcat:Distribution",
			"dct:title": format!("Encrypted records of {name}"),
			"dcat:accessURL": { "@id": id },
		});
		if let Some(media) = media {
			distribution["dcat:mediaType"] = media;
		}
		if let Some(license) = license {
			distribution["dct:license"] = license_document(license);
		}
		if let Some(offer) = &offer {
			distribution["odrl:hasPolicy"] = json!({ "@id": offer["@id"] });
		}
		distribution
	});
	dataset["dcat:distribution"] = distributions.collect();
	dataset
}

/// Returns the end of an identifier and a media type of those that cards of this program have.
fn media_type(format: &str) -> Option<(String, Option<Value>)> {
	let end = match format {
		CSV => "csv",
		PARQUET => "parquet",
		_ => return None,
	};
	let id = format!("https://www.iana.org/assignments/media-types/{format}");
	let media = json!({ "@id": id, "@type": "dct:MediaType" });
	Some((format!("-{end}"), Some(media)))
}

/// Returns a licence by its address or, if a card has only a name for it, by that.
fn license_document(license: &str) -> Value {
	let is_web = |url: &Url| {
		let is_safe = |c: char| !c.is_control() && !"<>\"{}|\\^` ".contains(c);
		matches!(url.scheme(), "http" | "https") && url.as_str().chars().all(is_safe)
	};
	match Url::parse(license).ok().filter(is_web) {
		Some(url) => json!({ "@id": url.as_str(), "@type": "dct:LicenseDocument" }),
		None => json!({ "@type": "dct:LicenseDocument", "dct:title": license }),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::catalog::found::tests::{found, said};

	#[test]
	fn datasets_are_a_catalogue() {
		let both = [found("marks", Some(said())), found("bare", None)];
		let Document(json) = Document::new("Test", &[9; 32], &both);
		assert_eq!(json["@type"], "dcat:Catalog");
		let [marks, bare] = [&json["dcat:dataset"][0], &json["dcat:dataset"][1]];
		let id = odrl::asset(&both[0].entry);
		assert_eq!(
			(&marks["@id"], &marks["dct:title"]),
			(&json!(id), &json!("marks"))
		);
		assert_eq!(marks["dcat:keyword"], json!(["Grades"]));
		assert_eq!(marks["dct:publisher"]["foaf:name"], "High School");
		assert_eq!(marks["dct:accessRights"]["@id"], RESTRICTED);
		assert_eq!(marks["dct:modified"]["@value"], "1970-01-02");
		// A media type that is none is left out.
		let files = marks["dcat:distribution"].as_array().unwrap();
		assert_eq!(files.len(), 1);
		assert_eq!(files[0]["@id"], format!("{id}#files-csv"));
		assert_eq!(files[0]["dct:license"]["dct:title"], "CC-BY-4.0");
		assert_eq!(
			files[0]["odrl:hasPolicy"]["@id"],
			marks["odrl:hasPolicy"]["@id"]
		);
		let words = bare["dct:description"].as_str().unwrap();
		assert_eq!(
			words,
			"The dataset bare of High School, whose card is not known here"
		);
		let files = bare["dcat:distribution"].as_array().unwrap();
		assert!(files.len() == 1 && files[0].get("dcat:mediaType").is_none());
	}

	#[test]
	fn a_catalogue_does_not_steer_a_terminal_and_stays_json() {
		let document = Document::new("T\u{9b}est", &[9; 32], &[found("m", Some(said()))]);
		let text = document.to_string();
		assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text}");
		assert_eq!(crate::text::visible_text(&text), text);
		assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document.0);
	}

	#[test]
	fn a_licence_is_an_address_only_if_it_is_one_of_the_web() {
		let web = license_document("https://spdx.org/licenses/CC-BY-4.0.html");
		assert_eq!(web["@id"], "https://spdx.org/licenses/CC-BY-4.0.html");
		for license in [
			"CC-BY-4.0",
			"javascript:alert(1)",
			"https://",
			"https://a/|",
		] {
			let named = license_document(license);
			assert!(named.get("@id").is_none(), "{license}");
			assert_eq!(named["dct:title"], license);
		}
	}
}
