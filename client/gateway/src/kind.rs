// SPDX-License-Identifier: Apache-2.0
//! Media types of files, by their names.

/// Media types by the end of a file's name.
const KINDS: [(&str, &str); 14] = [
	("parquet", "application/vnd.apache.parquet"),
	("arrow", "application/vnd.apache.arrow.file"),
	("avro", "application/avro"),
	("csv", "text/csv"),
	("tsv", "text/tab-separated-values"),
	("txt", "text/plain"),
	("md", "text/markdown"),
	("json", "application/json"),
	("jsonld", "application/ld+json"),
	("ndjson", "application/x-ndjson"),
	("xml", "application/xml"),
	("pdf", "application/pdf"),
	("zip", "application/zip"),
	("gz", "application/gzip"),
];

/// Returns the media type of a file.
pub(crate) fn kind(path: &str) -> &'static str {
	let end = path
		.rsplit_once('.')
		.map(|(_, end)| end.to_ascii_lowercase());
	let known = end.and_then(|end| KINDS.iter().find(|(known, _)| *known == end));
	known.map_or("application/octet-stream", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_type_follows_from_the_name() {
		assert_eq!(kind("a/b.PARQUET"), "application/vnd.apache.parquet");
		assert_eq!(kind("a.csv.gz"), "application/gzip");
		// A page of someone else's is not shown as one.
		assert_eq!(kind("a.html"), "application/octet-stream");
		assert_eq!(kind("csv"), "application/octet-stream");
	}
}
