// SPDX-License-Identifier: Apache-2.0
//! Tests of each question of the protocol, over a source in memory.

use super::*;
use crate::{
	pace::Limits,
	source::{Opened, Refusal},
	tests::{here, plain, text, Memory, Stand, BUCKET, PLACE, TOKEN},
	Event,
};
use hyper::{http::request::Builder, HeaderMap, Request};

/// The share of the owner, and the schema of the only dataset that is open.
const SHARE: &str = "01010101010101010101010101010101";
const SCHEMA: &str = "marks_3";

/// Returns a Parquet file that another program wrote.
fn of(program: &str) -> Vec<u8> {
	let vectors: Value =
		serde_json::from_str(include_str!("../../../tables/vectors.json")).unwrap();
	let mut files = vectors["files"].as_array().unwrap().iter();
	let file = files.find(|file| file["name"] == program).unwrap();
	hex::decode(file["bytes"].as_str().unwrap()).unwrap()
}

fn file(path: &str, bytes: Vec<u8>) -> Opened<Memory> {
	Memory::file(path, bytes, 512)
}

/// A folder with a part of two rows and one of one row, a single table, and files that are no tables.
fn stand() -> Stand {
	let files = [
		file("m/1 ü.parquet", of("Polars")),
		file("m/2 & 3.parquet", of("Polars")),
		file("one.parquet", of("DuckDB")),
		file("parts/year=2025/a.parquet", of("DuckDB")),
		file("parts/year=2026/bc.parquet", of("DuckDB")),
		file("broken/b.parquet", b"not a table, but long enough".to_vec()),
		file("list.csv", b"a,b\n".to_vec()),
	];
	Stand::with_files(files, Limits::default())
}

/// Sends a request, and returns the answer's status, headers and lines of JSON.
async fn send(stand: &Stand, request: Builder, content: &str) -> (u16, HeaderMap, Vec<Value>) {
	let request = request.body(content.to_owned()).unwrap();
	let answer = stand.gateway.answer(&request).await;
	let (head, body) = answer.into_parts();
	let bytes = http_body_util::BodyExt::collect(body)
		.await
		.unwrap()
		.to_bytes();
	let lines = std::str::from_utf8(&bytes).unwrap().lines();
	let lines = lines.map(|line| serde_json::from_str(line).unwrap());
	(head.status.as_u16(), head.headers, lines.collect())
}

async fn get(stand: &Stand, path: &str) -> (u16, HeaderMap, Vec<Value>) {
	send(stand, plain("GET", &format!("{ROOT}{path}"), &[]), "").await
}

fn table(name: &str, rest: &str) -> String {
	format!("/shares/{SHARE}/schemas/{SCHEMA}/tables/{name}{rest}")
}

async fn post(stand: &Stand, name: &str, content: &str) -> (u16, HeaderMap, Vec<Value>) {
	let path = format!("{ROOT}{}", table(name, "/query"));
	send(stand, plain("POST", &path, &[]), content).await
}

fn names(lines: &[Value]) -> Vec<&str> {
	let items = lines[0]["items"].as_array().unwrap();
	items
		.iter()
		.map(|item| item["name"].as_str().unwrap())
		.collect()
}

#[tokio::test]
async fn what_was_granted_is_listed() {
	here(async {
		let stand = stand();
		let (status, headers, lines) = get(&stand, "/shares").await;
		assert_eq!((status, names(&lines)), (200, vec![SHARE]));
		assert_eq!(
			text(&headers, "content-type"),
			"application/json; charset=utf-8"
		);
		assert_eq!(
			lines[0]["items"][0]["displayName"],
			PLACE.owner().to_string()
		);
		assert_eq!(lines[0]["items"][0]["id"].as_str().unwrap().len(), 36);
		let (status, _, one) = get(&stand, &format!("/shares/{SHARE}")).await;
		assert_eq!((status, &one[0]["share"]), (200, &lines[0]["items"][0]));
		// Of the other dataset, the grant has ended.
		let (status, _, lines) = get(&stand, &format!("/shares/{SHARE}/schemas")).await;
		assert_eq!((status, names(&lines)), (200, vec![SCHEMA]));
		for path in [
			"/all-tables".to_owned(),
			format!("/schemas/{SCHEMA}/tables"),
			"/schemas/MARKS_3/tables/".to_owned(),
		] {
			let (status, _, lines) = get(&stand, &format!("/shares/{SHARE}{path}")).await;
			assert_eq!(
				(status, names(&lines)),
				(200, vec!["broken", "m", "one", "parts"])
			);
			assert_eq!(lines[0]["items"][1]["share"], SHARE);
			assert!(lines[0]["items"][1]["schema"]
				.as_str()
				.unwrap()
				.eq_ignore_ascii_case(SCHEMA));
		}
	})
	.await;
}

#[tokio::test]
async fn lists_come_in_pages() {
	here(async {
		let stand = stand();
		let path = format!("/shares/{SHARE}/all-tables");
		let (mut seen, mut token) = (Vec::new(), String::new());
		loop {
			let (status, _, lines) =
				get(&stand, &format!("{path}?maxResults=3&pageToken={token}")).await;
			assert_eq!(status, 200);
			seen.extend(names(&lines).iter().map(|name| (*name).to_owned()));
			match lines[0]["nextPageToken"].as_str() {
				Some(next) => token = next.to_owned(),
				None => break,
			}
		}
		assert_eq!(seen, ["broken", "m", "one", "parts"]);
		// Nothing is asked for, and there is more.
		let (_, _, lines) = get(&stand, &format!("{path}?maxResults=0")).await;
		assert!(names(&lines).is_empty());
		let next = lines[0]["nextPageToken"].as_str().unwrap().to_owned();
		let (_, _, lines) = get(&stand, &format!("{path}?pageToken={next}")).await;
		assert_eq!(names(&lines).len(), 4);
		for query in [
			"maxResults=-1",
			"maxResults=x",
			"pageToken=x",
			"pageToken=after-xx",
			"pageToken=after-ff",
			"pageToken=00",
			&format!("pageToken={next}00"),
			&format!("pageToken={}", hex::encode("m")),
		] {
			let (status, _, lines) = get(&stand, &format!("{path}?{query}")).await;
			assert_eq!(
				(status, &lines[0]["errorCode"]),
				(400, &json!("INVALID_PARAMETER_VALUE")),
				"{query}"
			);
		}
		// It is one of another list.
		let (status, ..) = get(&stand, &format!("/shares?pageToken={next}")).await;
		assert_eq!(status, 400);
	})
	.await;
}

#[tokio::test]
async fn a_table_has_columns_and_a_version() {
	here(async {
		let stand = stand();
		let (status, headers, lines) = get(&stand, &table("one", "/metadata")).await;
		assert_eq!(status, 200);
		assert_eq!(
			text(&headers, "content-type"),
			"application/x-ndjson; charset=utf-8"
		);
		assert_eq!(lines[0], json!({ "protocol": { "minReaderVersion": 1 } }));
		let metadata = &lines[1]["metaData"];
		assert_eq!(metadata["format"], json!({ "provider": "parquet" }));
		assert_eq!(
			(&metadata["numFiles"], &metadata["size"]),
			(&json!(1), &json!(of("DuckDB").len()))
		);
		let schema: Value =
			serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
		assert_eq!(schema["fields"].as_array().unwrap().len(), 10);
		assert_eq!(
			schema["fields"][1],
			json!({ "name": "b", "type": "string", "nullable": false, "metadata": {} })
		);
		let version = text(&headers, "delta-table-version");
		assert!(version.parse::<u64>().unwrap() > 1_700_000_000);
		for path in [
			table("ONE", "/version"),
			table("one", &format!("/metadata?version={version}")),
		] {
			let (status, headers, _) = get(&stand, &path).await;
			assert_eq!(
				(status, text(&headers, "delta-table-version")),
				(200, version.clone())
			);
		}
		let head = plain("HEAD", &format!("{ROOT}{}", table("one", "")), &[]);
		let (status, headers, _) = send(&stand, head, "").await;
		assert_eq!(
			(status, text(&headers, "delta-table-version")),
			(200, version.clone())
		);
		// A version is another one when a file is stored again, and only then.
		let again = file("one.parquet", of("Polars"));
		stand
			.files
			.lock()
			.unwrap()
			.insert("other.parquet".into(), file("other.parquet", of("Polars")));
		assert_eq!(
			text(
				&get(&stand, &table("one", "/version")).await.1,
				"delta-table-version"
			),
			version
		);
		let mut again = again;
		again.file.hash = [200; 32];
		stand
			.files
			.lock()
			.unwrap()
			.insert("one.parquet".into(), again);
		let (_, headers, lines) = get(&stand, &table("one", "/metadata")).await;
		let number = |version: String| version.parse::<u64>().unwrap();
		let later = text(&headers, "delta-table-version");
		assert!(number(later) > number(version));
		assert!(lines[1]["metaData"]["schemaString"]
			.as_str()
			.unwrap()
			.contains("\"mark\""));
	})
	.await;
}

#[tokio::test]
async fn values_in_the_names_of_folders_are_columns() {
	here(async {
		let stand = stand();
		let (status, _, lines) = post(&stand, "parts", "{}").await;
		assert_eq!((status, lines.len()), (200, 4));
		assert_eq!(lines[1]["metaData"]["partitionColumns"], json!(["year"]));
		let schema = lines[1]["metaData"]["schemaString"].as_str().unwrap();
		assert!(schema.contains("\"year\""), "{schema}");
		let year = |line: &Value| line["file"]["partitionValues"]["year"].clone();
		assert_eq!(
			(year(&lines[2]), year(&lines[3])),
			(json!("2025"), json!("2026"))
		);
	})
	.await;
}

#[tokio::test]
async fn a_query_returns_addresses_that_need_no_token() {
	here(async {
		let stand = stand();
		let (status, headers, lines) = post(&stand, "m", "{}").await;
		assert_eq!((status, lines.len()), (200, 4));
		assert!(headers.contains_key("delta-table-version"));
		let line = &lines[2]["file"];
		assert_eq!(line["size"], of("Polars").len());
		assert_eq!(line["id"].as_str().unwrap().len(), 64);
		assert!(line["expirationTimestamp"].as_u64().unwrap() / 1000 > now());
		let url = line["url"].as_str().unwrap().to_owned();
		assert!(
			url.starts_with(&format!(
				"http://127.0.0.1:9000/delta-sharing/files/{BUCKET}/m/1%20%C3%BC.parquet?"
			)),
			"{url}"
		);
		let path = url.strip_prefix("http://127.0.0.1:9000").unwrap();
		let open = |method: &str, path: &str| {
			Request::builder()
				.method(method)
				.uri(path)
				.header("host", "127.0.0.1:9000")
		};
		let (status, headers, content) = stand
			.send(open("GET", path).header("range", "bytes=-4"))
			.await;
		assert_eq!((status, content), (206, Some(b"PAR1".to_vec())));
		assert_eq!(
			text(&headers, "content-type"),
			"application/vnd.apache.parquet"
		);
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!(
			(read.who.as_str(), read.path.as_str()),
			("delta-sharing", "m/1 ü.parquet")
		);
		assert_eq!(stand.send(open("HEAD", path)).await.0, 200);
		assert_eq!(stand.send(open("POST", path)).await.0, 405);
		assert_eq!(
			stand
				.send(open("GET", path).header("origin", "https://evil.org"))
				.await
				.0,
			403
		);
		assert_eq!(
			stand
				.send(Request::builder().uri(path).header("host", "evil.org"))
				.await
				.0,
			403
		);
		assert_eq!(
			stand
				.send(open("GET", &path.replace("&expires=", "&expires=9")))
				.await
				.0,
			403
		);
		assert_eq!(
			stand
				.send(open("GET", &path.replace("?hash=", "?hash=x")))
				.await
				.0,
			400
		);
		// Once it is stored again, or the grant has ended, the address leads nowhere.
		let name = "m/1 ü.parquet";
		let mut again = file(name, of("DuckDB"));
		again.file.hash = [201; 32];
		let before = stand
			.files
			.lock()
			.unwrap()
			.insert(name.into(), again)
			.unwrap();
		let (status, _, words) = stand.send(open("GET", path)).await;
		assert_eq!(
			(status, words),
			(
				404,
				Some("m/1 ü.parquet was stored again\n".as_bytes().to_vec())
			)
		);
		stand.files.lock().unwrap().insert(name.into(), before);
		assert_eq!(stand.send(open("HEAD", path)).await.0, 200);
		*stand.refusal.lock().unwrap() =
			Some(Refusal::Denied("the caller's grant was revoked".into()));
		let (status, headers, _) = stand.send(open("HEAD", path)).await;
		assert_eq!(
			(status, text(&headers, "x-isthmus-reason").as_str()),
			(403, "the caller's grant was revoked")
		);
	})
	.await;
}

#[tokio::test]
async fn addresses_lead_where_the_program_asked() {
	here(async {
		let stand = stand();
		let path = format!("{ROOT}{}", table("one", "/query"));
		let request = Request::builder()
			.method("POST")
			.uri(path)
			.header("host", "data.example.org")
			.header("x-forwarded-proto", "https")
			.header("authorization", format!("Bearer {TOKEN}"));
		let (_, _, lines) = send(&stand, request, "").await;
		let url = lines[2]["file"]["url"].as_str().unwrap();
		assert!(
			url.starts_with("https://data.example.org/delta-sharing/files/"),
			"{url}"
		);
	})
	.await;
}

#[tokio::test]
async fn with_a_limit_only_the_files_that_are_needed_are_returned() {
	here(async {
		let stand = stand();
		let files = async |content: &str| {
			let (status, _, lines) = post(&stand, "m", content).await;
			assert_eq!(status, 200, "{lines:?}");
			let counted = lines[2..]
				.iter()
				.filter(|line| line["file"]["stats"] == "{\"numRecords\":2}");
			(lines.len() - 2, counted.count())
		};
		assert_eq!(files(r#"{"limitHint": 0}"#).await, (0, 0));
		assert_eq!(files(r#"{"limitHint": 1}"#).await, (1, 1));
		assert_eq!(files(r#"{"limitHint": 2}"#).await, (1, 1));
		assert_eq!(files(r#"{"limitHint": 3}"#).await, (2, 2));
		assert_eq!(
			files(
				r#"{"limitHint": 1000, "jsonPredicateHints": "{}", "predicateHints": ["mark > 3"]}"#
			)
			.await,
			(2, 2)
		);
		// What is known is told without a limit, too.
		assert_eq!(files("{}").await, (2, 2));
		assert_eq!(files("").await, (2, 2));
		let (_, _, lines) = post(&stand, "one", "{}").await;
		assert_eq!(lines.len(), 3);
	})
	.await;
}

#[test]
fn an_answer_that_would_be_too_long_is_refused() {
	let mut lines = Written::default();
	let half = json!("x".repeat(LONGEST / 2));
	lines.add(&half).unwrap();
	let failure = lines.add(&half).unwrap_err();
	assert_eq!(failure.code, UNSUPPORTED);
	assert!(failure.words.contains("longer than"), "{}", failure.words);
	// What was there stays, and shorter lines still fit.
	lines.add(&json!("x")).unwrap();
}

#[tokio::test]
async fn what_is_unknown_or_not_possible_is_refused_with_a_sentence() {
	here(async {
		let stand = stand();
		let version = text(
			&get(&stand, &table("one", "/version")).await.1,
			"delta-table-version",
		);
		let only = format!("only version {version}");
		for (path, expected, code, words) in [
			(
				"/shares/none".to_owned(),
				404,
				"RESOURCE_DOES_NOT_EXIST",
				"no share none",
			),
			(
				"/shares/none/schemas".to_owned(),
				404,
				"RESOURCE_DOES_NOT_EXIST",
				"no share none",
			),
			(
				format!("/shares/{SHARE}/schemas/none/tables"),
				404,
				"RESOURCE_DOES_NOT_EXIST",
				"no schema none",
			),
			(
				format!("/shares/none/schemas/{SCHEMA}/tables"),
				404,
				"RESOURCE_DOES_NOT_EXIST",
				"no share none",
			),
			(
				table("none", "/metadata"),
				404,
				"RESOURCE_DOES_NOT_EXIST",
				"no table none",
			),
			(
				table("one", "/rows"),
				404,
				"RESOURCE_DOES_NOT_EXIST",
				"has to end with /delta-sharing",
			),
			(
				table("one", ""),
				404,
				"RESOURCE_DOES_NOT_EXIST",
				"has no GET",
			),
			(
				table("one", "/query"),
				404,
				"RESOURCE_DOES_NOT_EXIST",
				"has no GET",
			),
			(String::new(), 404, "RESOURCE_DOES_NOT_EXIST", "has no GET"),
			(
				table("one", "/changes?startingVersion=0"),
				400,
				"UNSUPPORTED_OPERATION",
				"no history",
			),
			(
				table("one", "/temporary-table-credentials"),
				400,
				"UNSUPPORTED_OPERATION",
				"no credentials",
			),
			(
				table("one", "/metadata?version=7"),
				400,
				"UNSUPPORTED_OPERATION",
				only.as_str(),
			),
			(
				table("one", "/metadata?timestamp=2026-01-01T00:00:00Z"),
				400,
				"UNSUPPORTED_OPERATION",
				"without a timestamp",
			),
			(
				table("one", "/version?startingTimestamp=2026-01-01T00:00:00Z"),
				400,
				"UNSUPPORTED_OPERATION",
				"without a timestamp",
			),
			(
				table("broken", "/metadata"),
				400,
				"INVALID_PARAMETER_VALUE",
				"broken/b.parquet cannot be read as a table: it is not a Parquet file",
			),
		] {
			let (status, headers, lines) = get(&stand, &path).await;
			assert_eq!(
				(status, &lines[0]["errorCode"]),
				(expected, &json!(code)),
				"{path}"
			);
			let message = lines[0]["message"].as_str().unwrap();
			assert!(message.contains(words), "{message}");
			assert_eq!(text(&headers, "x-isthmus-reason"), message);
		}
		for (content, words) in [
			("x", "the query cannot be read"),
			(r#"{"limitHint": -1}"#, "the query cannot be read"),
			(r#"{"version": 7}"#, "only version"),
			(
				r#"{"timestamp": "2026-01-01T00:00:00Z"}"#,
				"without a timestamp",
			),
			(r#"{"startingVersion": 0}"#, "without startingVersion"),
		] {
			let (status, _, lines) = post(&stand, "one", content).await;
			assert!(
				status == 400 && lines[0]["message"].as_str().unwrap().contains(words),
				"{lines:?}"
			);
		}
		let (status, _, _) = post(&stand, "one", &format!("{{\"version\": {version}}}")).await;
		assert_eq!(status, 200);
	})
	.await;
}

#[tokio::test]
async fn who_shows_no_token_or_has_no_grant_is_told_so() {
	here(async {
		let stand = stand();
		let path = format!("{ROOT}/shares");
		let bare = || Request::builder().uri(&path).header("host", "127.0.0.1");
		for request in [bare(), bare().header("authorization", "Bearer wrong"), bare().header("authorization", "Basic x")] {
			let (status, headers, lines) = send(&stand, request, "").await;
			assert_eq!((status, &lines[0]["errorCode"]), (401, &json!("UNAUTHENTICATED")));
			assert_eq!(text(&headers, "www-authenticate"), "Bearer");
			assert!(matches!(stand.saw().await, Event::Refused(refused) if refused.who.is_none() && refused.status == 401));
		}
		let foreign = plain("GET", &path, &[("origin", "https://evil.org")]);
		assert_eq!(send(&stand, foreign, "").await.0, 403);
		// A dataset of which the grant has ended is not listed, but it is told why.
		get(&stand, "/shares").await;
		for (refusal, expected, code) in [
			(Refusal::Denied("the caller's grant has expired".into()), 403, "PERMISSION_DENIED"),
			(Refusal::Unreachable("the node is gone".into()), 503, "TEMPORARILY_UNAVAILABLE"),
			(Refusal::Failed("the node lies".into()), 500, "INTERNAL_ERROR"),
		] {
			let words = refusal.to_string();
			*stand.refusal.lock().unwrap() = Some(refusal);
			for path in [table("one", "/metadata"), format!("/shares/{SHARE}/schemas/marks_4/tables")] {
				let (status, _, lines) = get(&stand, &path).await;
				assert_eq!((status, &lines[0]["errorCode"], &lines[0]["message"]), (expected, &json!(code), &json!(words)));
			}
			let (status, _, lines) = get(&stand, &format!("/shares/{SHARE}/all-tables")).await;
			match expected {
				403 => assert_eq!((status, names(&lines)), (200, vec![])),
				expected => assert_eq!(status, expected),
			}
		}
	})
	.await;
}
