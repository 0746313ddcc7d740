// SPDX-License-Identifier: Apache-2.0
//! The part of S3 that reads: buckets are datasets, and keys are the paths of files.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use crate::{
	answer::{date, name_reason, text, Answer, Failure},
	credentials::Credentials,
	gateway::Gateway,
	page::{page, Page, Wanted, MOST},
	question::Question,
	signature::{self, Signed, PATH},
	source::{Place, Source},
	token,
	watch::Watch,
	xml::Xml,
};
use hyper::{
	header::{
		HeaderName, HeaderValue, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
		CONTENT_TYPE, EXPIRES,
	},
	Method, StatusCode,
};
use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;

const XML: &str = "application/xml";
/// The region that is told to those who ask. Signatures for any region are accepted.
const REGION: &str = "us-east-1";
/// The most buckets that a program may request together.
const MOST_BUCKETS: usize = 10_000;
/// What stands for the list of buckets in a token. No bucket is called so.
const BUCKETS: &str = "";
/// How dates are written.
const DATE: &str = "%Y-%m-%dT%H:%M:%S.000Z";
/// Fields of a query that belong to a signature, or say what is asked for in the words of AWS's programs.
const IGNORED: [&str; 1] = ["x-id"];

/// Fields of a query for a file, and the headers of the answer that they set.
static CHOSEN: [(&str, HeaderName); 5] = [
	("response-content-disposition", CONTENT_DISPOSITION),
	("response-content-encoding", CONTENT_ENCODING),
	("response-content-language", CONTENT_LANGUAGE),
	("response-content-type", CONTENT_TYPE),
	("response-expires", EXPIRES),
];
/// Another one, which is not obeyed: no copy of what is decrypted is kept on the way.
const KEPT: &str = "response-cache-control";

/// Answers a request.
pub(crate) async fn answer<Files: Source, Log: Watch>(
	gateway: &std::sync::Arc<Gateway<Files, Log>>,
	asked: &Question<'_>,
	number: u64,
) -> Answer {
	let mut who = None;
	let answer = match check(gateway, asked) {
		Ok(key) => {
			who = Some(key);
			route(gateway, asked, key).await
		}
		Err(failure) => Err(failure),
	};
	answer.unwrap_or_else(|failure| {
		gateway.refused(who, asked.method, asked.raw, &failure);
		refusal(&failure, &asked.path, number, asked.is_head())
	})
}

/// Checks who asks. Returns the access key.
fn check<'a, Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &'a Question<'_>,
) -> Result<&'a str, Failure> {
	gateway.check_origin(asked)?;
	let signed = Signed {
		method: asked.method.as_str(),
		path: &asked.path,
		query: &asked.query,
		headers: asked.headers,
	};
	let now = Timestamp::now().as_second();
	Ok(signature::check(signed, gateway.credentials(), now)?)
}

/// Makes the answer of a refusal.
pub(crate) fn refusal(failure: &Failure, resource: &str, number: u64, is_head: bool) -> Answer {
	let xml = Xml::error()
		.with("Code", failure.code)
		.with("Message", &failure.words)
		.with("Resource", resource)
		.with("RequestId", format!("{number:016X}"));
	let mut answer = text(failure.status, XML, xml.end(), is_head);
	name_reason(&mut answer, &failure.words);
	if let Some(length) = failure.length {
		if let Ok(range) = HeaderValue::from_str(&format!("bytes */{length}")) {
			answer
				.headers_mut()
				.insert(hyper::header::CONTENT_RANGE, range);
		}
	}
	answer
}

/// Finds out what is asked for.
async fn route<Files: Source, Log: Watch>(
	gateway: &std::sync::Arc<Gateway<Files, Log>>,
	asked: &Question<'_>,
	who: &str,
) -> Result<Answer, Failure> {
	if asked.method != Method::GET && asked.method != Method::HEAD {
		return Err(Failure::denied(
			"the gateway only reads: data is stored with `isthmus store`",
		));
	}
	let path = asked.path.strip_prefix('/').unwrap_or(&asked.path);
	let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
	if bucket.is_empty() {
		only(
			asked,
			&[
				"max-buckets",
				"prefix",
				"continuation-token",
				"bucket-region",
			],
		)?;
		return buckets(gateway, asked).await;
	}
	let found = gateway.find(|name, _| name == bucket).await?;
	let place = found.ok_or_else(|| {
		let words = "there is no such bucket: the account has no grant on a dataset with this name";
		Failure::new(StatusCode::NOT_FOUND, "NoSuchBucket", words)
	})?;
	if !key.is_empty() {
		// Files have one version and one part.
		let is_none = |name, allowed: &str| asked.field(name).is_none_or(|value| value == allowed);
		if !is_none("versionId", "null") || !is_none("partNumber", "1") {
			return Err(not_implemented("versionId or partNumber"));
		}
		let mut known = vec!["versionId", "partNumber", KEPT];
		known.extend(CHOSEN.iter().map(|(field, _)| *field));
		only(asked, &known)?;
		let chosen = chosen(asked)?;
		let mut answer = gateway.file(who, place, key, asked, None).await?;
		if answer.status().is_success() {
			for (header, value) in chosen {
				answer.headers_mut().insert(header, value);
			}
		}
		return Ok(answer);
	}
	if asked.is_head() {
		only(asked, &[])?;
		gateway.patiently(gateway.source().files(place)).await?;
		let mut answer = text(StatusCode::OK, XML, String::new(), true);
		let region = HeaderValue::from_static(REGION);
		answer.headers_mut().insert("x-amz-bucket-region", region);
		return Ok(answer);
	}
	if asked.field("location").is_some() {
		only(asked, &["location"])?;
		// The region of this name is told by none.
		let xml = Xml::new("LocationConstraint").end();
		return Ok(text(StatusCode::OK, XML, xml, false));
	}
	list(gateway, asked, bucket, place).await
}

/// Returns the headers of the answer that the query chooses.
fn chosen(asked: &Question<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
	let mut chosen = Vec::new();
	for (field, header) in &CHOSEN {
		let Some(value) = asked.field(field) else {
			continue;
		};
		let invalid = |_| Failure::invalid(format!("{field} is not the value of a header"));
		let value = HeaderValue::from_bytes(value.as_bytes()).map_err(invalid)?;
		chosen.push((header.clone(), value));
	}
	Ok(chosen)
}

fn not_implemented(what: &str) -> Failure {
	let words = format!("the gateway does not know what to do with {what}: it lists buckets and objects, and reads objects");
	Failure::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", words)
}

/// Refuses fields of the query that ask for something else.
fn only(asked: &Question<'_>, known: &[&str]) -> Result<(), Failure> {
	let is_known = |name: &str| {
		known.contains(&name)
			|| IGNORED.contains(&name)
			|| name.to_ascii_lowercase().starts_with("x-amz-")
	};
	match asked.query.iter().find(|(name, _)| !is_known(name)) {
		Some((name, _)) => Err(not_implemented(&format!("?{name}"))),
		None => Ok(()),
	}
}

/// Answers ListBuckets: with the datasets of which the account may read something.
async fn buckets<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
) -> Result<Answer, Failure> {
	let prefix = asked.field("prefix").unwrap_or_default();
	let most = match asked.field("max-buckets").map(str::parse::<usize>) {
		None => usize::MAX,
		Some(Ok(most @ 1..=MOST_BUCKETS)) => most,
		Some(_) => {
			let words = format!("max-buckets has to be a number from 1 to {MOST_BUCKETS}");
			return Err(Failure::invalid(words));
		}
	};
	let credentials = gateway.credentials();
	let after = continued(credentials, asked, BUCKETS)?.unwrap_or_default();
	let datasets = gateway.datasets().await?;
	let mut open: Vec<_> = datasets
		.iter()
		.filter(|(_, dataset)| dataset.is_open)
		.collect();
	open.retain(|(bucket, _)| bucket.starts_with(prefix) && *bucket > after);
	open.sort_by(|(a, _), (b, _)| a.cmp(b));
	let has_more = open.len() > most;
	open.truncate(most);
	let last = open.last().filter(|_| has_more);
	let next = last.map(|(bucket, _)| token::make(credentials, BUCKETS, bucket));
	let mut xml = Xml::new("ListAllMyBucketsResult");
	xml.group("Owner", &[("ID", credentials.key().to_owned())]);
	xml.around("Buckets", |xml| {
		for (bucket, _) in open {
			// S3's programs need a date, and the chain keeps none.
			xml.group(
				"Bucket",
				&[("Name", bucket.clone()), ("CreationDate", date(0, DATE))],
			);
		}
	});
	if let Some(next) = next {
		xml.add("ContinuationToken", next);
	}
	Ok(text(StatusCode::OK, XML, xml.end(), asked.is_head()))
}

/// Returns the name after which a page of a list begins, by the token that is shown; `None` without one.
fn continued(
	credentials: &Credentials,
	asked: &Question<'_>,
	list: &str,
) -> Result<Option<String>, Failure> {
	let Some(shown) = asked.field("continuation-token") else {
		return Ok(None);
	};
	match token::read(credentials, list, shown) {
		Some(after) => Ok(Some(after)),
		None => Err(Failure::invalid(
			"the continuation-token is not one that the gateway gave for this list",
		)),
	}
}

/// What ListObjects asks for.
struct Listing<'a> {
	is_second: bool,
	wanted: Wanted<'a>,
	/// Whether names are to be encoded like the path of an address.
	encodes: bool,
}

/// Answers ListObjectsV2, and the older ListObjects.
async fn list<Files: Source, Log: Watch>(
	gateway: &Gateway<Files, Log>,
	asked: &Question<'_>,
	bucket: &str,
	place: Place,
) -> Result<Answer, Failure> {
	let field = |name| asked.field(name).unwrap_or_default();
	let is_second = match asked.field("list-type") {
		None => false,
		Some("2") => true,
		Some(_) => return Err(Failure::invalid("list-type has to be 2")),
	};
	let common = [
		"list-type",
		"prefix",
		"delimiter",
		"max-keys",
		"encoding-type",
	];
	let of_second = ["continuation-token", "start-after", "fetch-owner"];
	match is_second {
		true => only(asked, &[&common[..], &of_second].concat())?,
		false => only(asked, &[&common[..], &["marker"]].concat())?,
	}
	let most = match asked.field("max-keys") {
		None | Some("") => MOST,
		Some(text) => match text.parse::<i32>() {
			Ok(most) if most >= 0 => (most as usize).min(MOST),
			_ => {
				return Err(Failure::invalid(
					"max-keys has to be a number, and not negative",
				))
			}
		},
	};
	let credentials = gateway.credentials();
	let after = match (is_second, continued(credentials, asked, bucket)?) {
		(false, _) => field("marker").to_owned(),
		(true, None) => field("start-after").to_owned(),
		(true, Some(after)) => after,
	};
	let encodes = match asked.field("encoding-type") {
		None | Some("") => false,
		Some("url") => true,
		Some(_) => return Err(Failure::invalid("encoding-type has to be url")),
	};
	let (prefix, delimiter) = (field("prefix"), field("delimiter"));
	let wanted = Wanted {
		prefix,
		delimiter,
		after: &after,
		most,
	};
	let files = gateway.patiently(gateway.source().files(place)).await?;
	let listing = Listing {
		is_second,
		wanted,
		encodes,
	};
	let page = page(&files, wanted);
	let next = page.next.map(|next| match is_second {
		true => token::make(credentials, bucket, next),
		false => listing.name(next),
	});
	let xml = listed(asked, bucket, &listing, (&page, next));
	Ok(text(StatusCode::OK, XML, xml, asked.is_head()))
}

impl Listing<'_> {
	/// Returns a name as it is written.
	fn name(&self, name: &str) -> String {
		match self.encodes {
			true => utf8_percent_encode(name, &PATH).to_string(),
			false => name.to_owned(),
		}
	}
}

/// Writes a page, and what the next one is asked for with.
fn listed(
	asked: &Question<'_>,
	bucket: &str,
	listing: &Listing<'_>,
	(page, next): (&Page<'_>, Option<String>),
) -> String {
	let Listing {
		is_second,
		wanted,
		encodes,
	} = listing;
	let name = |text: &str| listing.name(text);
	let mut xml = Xml::new("ListBucketResult")
		.with("Name", bucket)
		.with("Prefix", name(wanted.prefix))
		.with("MaxKeys", wanted.most)
		.with("IsTruncated", page.next.is_some());
	if !wanted.delimiter.is_empty() {
		xml.add("Delimiter", name(wanted.delimiter));
	}
	if *encodes {
		xml.add("EncodingType", "url");
	}
	match is_second {
		true => {
			xml.add("KeyCount", page.entries());
			for (field, element) in [
				("continuation-token", "ContinuationToken"),
				("start-after", "StartAfter"),
			] {
				if let Some(value) = asked.field(field) {
					let value = if field == "start-after" {
						name(value)
					} else {
						value.to_owned()
					};
					xml.add(element, value);
				}
			}
			if let Some(next) = next {
				xml.add("NextContinuationToken", next);
			}
		}
		false => {
			xml.add("Marker", name(wanted.after));
			if let Some(next) = next {
				xml.add("NextMarker", next);
			}
		}
	}
	for file in &page.files {
		xml.group(
			"Contents",
			&[
				("Key", name(&file.path)),
				("LastModified", date(file.date, DATE)),
				("ETag", file.tag()),
				("Size", file.length.to_string()),
				("StorageClass", "STANDARD".to_owned()),
			],
		);
	}
	for folder in &page.folders {
		xml.group("CommonPrefixes", &[("Prefix", name(folder))]);
	}
	xml.end()
}
