// SPDX-License-Identifier: Apache-2.0
//! Tests of the whole gateway over a source in memory.

use crate::{pace::Limits, signature, *};
use http_body_util::BodyExt;
use hyper::http;
use std::{
	collections::BTreeMap,
	ops::Range,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex,
	},
	time::Duration,
};

/// The bytes of a file in memory, which counts what is read.
#[derive(Debug, Default)]
pub(crate) struct Memory {
	bytes: Vec<u8>,
	read: AtomicU64,
	/// The byte from which on reading fails.
	fails_from: Option<u64>,
}

impl Memory {
	/// Makes a file.
	pub(crate) fn file(path: &str, bytes: Vec<u8>, chunk: u64) -> Opened<Self> {
		let file = File {
			path: path.to_owned(),
			length: bytes.len() as u64,
			hash: [path.len() as u8; 32],
			date: 1_700_000_000,
			key: [7; 32].into(),
			pack: None,
		};
		let place = PLACE;
		let size = file.length;
		let bytes = Arc::new(Self {
			bytes,
			..Self::default()
		});
		Opened {
			place,
			file,
			size,
			chunk,
			bytes,
		}
	}

	/// Makes bytes that cannot be read from one of them on.
	pub(crate) fn failing(bytes: Vec<u8>, from: u64) -> Self {
		Self {
			bytes,
			fails_from: Some(from),
			..Self::default()
		}
	}

	/// Returns how many bytes were read.
	pub(crate) fn read_bytes(&self) -> u64 {
		self.read.load(Ordering::Relaxed)
	}
}

impl Readable for Memory {
	async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Refusal> {
		self.read
			.fetch_add(range.end - range.start, Ordering::Relaxed);
		// So that readers at the same time really are.
		tokio::task::yield_now().await;
		if self.fails_from.is_some_and(|from| range.end > from) {
			return Err(Refusal::Unreachable("the node is gone".into()));
		}
		Ok(self.bytes[range.start as usize..range.end as usize].to_vec())
	}
}

pub(crate) const PLACE: Place = Place {
	owner: [1; 32],
	dataset: 3,
};

/// A dataset in memory.
pub(crate) struct Shelf {
	files: Arc<Mutex<BTreeMap<String, Opened<Memory>>>>,
	/// Why nothing is read, if so.
	refusal: Arc<Mutex<Option<Refusal>>>,
}

impl Shelf {
	fn check(&self) -> Result<(), Refusal> {
		self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
	}
}

impl Source for Shelf {
	type Bytes = Memory;

	async fn datasets(&self) -> Result<Vec<Dataset>, Refusal> {
		let name = "marks".to_owned();
		let ended = Place {
			dataset: 4,
			..PLACE
		};
		Ok(vec![
			Dataset {
				place: PLACE,
				name: name.clone(),
				is_open: true,
			},
			Dataset {
				place: ended,
				name,
				is_open: false,
			},
		])
	}

	async fn files(&self, _: Place) -> Result<Arc<Vec<File>>, Refusal> {
		self.check()?;
		let files = self.files.lock().unwrap();
		Ok(Arc::new(
			files.values().map(|opened| opened.file.clone()).collect(),
		))
	}

	async fn open(&self, _: Place, path: &str) -> Result<Opened<Memory>, Refusal> {
		self.check()?;
		let found = self.files.lock().unwrap().get(path).cloned();
		found.ok_or_else(|| Refusal::NoFile(format!("no file {path}")))
	}
}

/// Keeps what happened.
#[derive(Clone, Default)]
pub(crate) struct Log(pub(crate) Arc<Mutex<Vec<Event>>>);

impl Watch for Log {
	fn saw(&self, event: Event, _: Totals) {
		self.0.lock().unwrap().push(event);
	}
}

/// A gateway over some files, and what it told.
pub(crate) struct Stand {
	pub(crate) gateway: Arc<Gateway<Shelf, Log>>,
	pub(crate) log: Log,
	pub(crate) files: Arc<Mutex<BTreeMap<String, Opened<Memory>>>>,
	pub(crate) refusal: Arc<Mutex<Option<Refusal>>>,
}

pub(crate) const TOKEN: &str = "a-token-of-twenty-letters";
pub(crate) const BUCKET: &str = "01010101010101010101010101010101-3";

impl Stand {
	fn new() -> Self {
		Self::with_limits(Limits::default())
	}

	fn with_limits(limits: Limits) -> Self {
		let mut fails = Memory::file("fails.bin", vec![5; 100], 4);
		fails.bytes = Arc::new(Memory::failing(vec![5; 100], 40));
		let files = [
			Memory::file("a b/1+2.csv", b"0123456789".to_vec(), 3),
			Memory::file("empty", Vec::new(), 0),
			fails,
			Memory::file("large.parquet", (0..=255).collect(), 16),
			Memory::file("é/ü&<", b"x".to_vec(), 1),
		];
		Self::with_files(files, limits)
	}

	/// Makes a gateway over other files.
	pub(crate) fn with_files(
		files: impl IntoIterator<Item = Opened<Memory>>,
		limits: Limits,
	) -> Self {
		let files = files
			.into_iter()
			.map(|opened| (opened.file.path.clone(), opened));
		let refusal = Arc::new(Mutex::new(None));
		let files = Arc::new(Mutex::new(files.collect()));
		let shelf = Shelf {
			files: Arc::clone(&files),
			refusal: refusal.clone(),
		};
		let secret = "a-secret-of-twenty-letters".to_owned();
		let credentials = Credentials::new("KEY".into(), secret, TOKEN.into()).unwrap();
		let settings = Settings {
			credentials,
			hosts: vec!["data.example.org".into()],
			cache: 1 << 20,
		};
		let log = Log::default();
		let gateway = Gateway::with_limits(shelf, log.clone(), settings, limits);
		Self {
			gateway,
			log,
			files,
			refusal,
		}
	}

	/// Sends a request, and returns the answer's status, headers and content; `None` for content that broke off.
	pub(crate) async fn send(
		&self,
		request: http::request::Builder,
	) -> (u16, http::HeaderMap, Option<Vec<u8>>) {
		let answer = self.gateway.answer(&request.body("").unwrap()).await;
		let (head, body) = answer.into_parts();
		let content = body.collect().await.ok();
		let content = content.map(|content| content.to_bytes().to_vec());
		(head.status.as_u16(), head.headers, content)
	}

	/// Asks over plain HTTP.
	async fn http(
		&self,
		path: &str,
		headers: &[(&str, &str)],
	) -> (u16, http::HeaderMap, Option<Vec<u8>>) {
		self.send(plain("GET", path, headers)).await
	}

	/// Asks over S3.
	async fn s3(
		&self,
		method: &str,
		path: &str,
		query: &[(&str, &str)],
	) -> (u16, http::HeaderMap, String) {
		let credentials = self.gateway.credentials();
		let query = signature::sign(method, path, query, credentials);
		let path = percent_encoding::utf8_percent_encode(path, &signature::PATH);
		let request = hyper::Request::builder()
			.method(method)
			.uri(format!("{path}?{query}"))
			.header("host", "127.0.0.1");
		let (status, headers, content) = self.send(request).await;
		(
			status,
			headers,
			String::from_utf8_lossy(&content.unwrap_or_default()).into_owned(),
		)
	}

	/// Waits for an event.
	pub(crate) async fn saw(&self) -> Event {
		loop {
			if let Some(event) = self.log.0.lock().unwrap().pop() {
				return event;
			}
			tokio::task::yield_now().await;
		}
	}
}

pub(crate) fn plain(method: &str, path: &str, headers: &[(&str, &str)]) -> http::request::Builder {
	let request = hyper::Request::builder()
		.method(method)
		.uri(path)
		.header("host", "127.0.0.1:9000")
		.header("authorization", format!("Bearer {TOKEN}"));
	headers.iter().fold(request, |request, (name, value)| {
		request.header(*name, *value)
	})
}

/// Returns the path of a file over plain HTTP.
fn at(path: &str) -> String {
	format!("/{}/3/{path}", PLACE.owner())
}

pub(crate) fn text(headers: &http::HeaderMap, name: &str) -> String {
	let value = headers
		.get(name)
		.map(|value| value.to_str().unwrap().to_owned());
	value.unwrap_or_default()
}

/// Runs a test where futures may stay on one thread.
pub(crate) async fn here<T>(test: impl std::future::Future<Output = T>) -> T {
	tokio::task::LocalSet::new().run_until(test).await
}

#[tokio::test]
async fn a_file_is_read_over_http() {
	here(async {
		let stand = Stand::new();
		let (status, headers, content) = stand.http(&at("large.parquet"), &[]).await;
		assert_eq!((status, content), (200, Some((0..=255).collect())));
		assert_eq!(text(&headers, "content-length"), "256");
		assert_eq!(text(&headers, "accept-ranges"), "bytes");
		assert_eq!(
			text(&headers, "content-type"),
			"application/vnd.apache.parquet"
		);
		assert_eq!(text(&headers, "content-range"), "");
		assert_eq!(
			text(&headers, "last-modified"),
			"Tue, 14 Nov 2023 22:13:20 GMT"
		);
		assert_eq!(text(&headers, "cache-control"), "no-store");
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!(
			(read.who.as_str(), read.bytes, read.failed),
			("token", 0..256, None)
		);
		let (status, headers, content) = stand
			.http(&at("a%20b/1%2B2.csv"), &[("range", "bytes=-4")])
			.await;
		assert_eq!((status, content), (206, Some(b"6789".to_vec())));
		assert_eq!(text(&headers, "content-range"), "bytes 6-9/10");
		assert_eq!(text(&headers, "content-length"), "4");
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!((read.path.as_str(), read.bytes), ("a b/1+2.csv", 6..10));
		let (status, headers, content) = stand.http(&at("empty"), &[]).await;
		assert_eq!((status, content), (200, Some(Vec::new())));
		assert_eq!(text(&headers, "content-length"), "0");
		let by_name = at("large.parquet").replace("/3/", "/marks/");
		assert_eq!(stand.http(&by_name, &[]).await.0, 200);
	})
	.await;
}

#[tokio::test]
async fn a_file_in_a_pack_is_read_like_any_other() {
	here(async {
		let pack = Memory::file("frame/part-1", (0..=255).collect(), 16);
		let in_pack = |path: &str, offset: u64, length: u64, hash: u8| {
			let mut opened = pack.clone();
			opened.file = File {
				path: path.to_owned(),
				length,
				hash: [hash; 32],
				pack: Some(Pack {
					hash: pack.file.hash,
					offset,
					list: Arc::new(Record {
						key: [8; 32].into(),
						hash: [9; 32],
					}),
				}),
				..pack.file.clone()
			};
			opened
		};
		let files = [
			in_pack("frame/part-1", 40, 100, 1),
			in_pack("frame/part-2", 140, 116, 2),
			in_pack("frame/part-3", 0, 0, 3),
		];
		let stand = Stand::with_files(files, Limits::default());
		let (status, headers, content) = stand.http(&at("frame/part-1"), &[]).await;
		assert_eq!((status, content), (200, Some((40..140).collect())));
		assert_eq!(text(&headers, "content-length"), "100");
		assert_eq!(text(&headers, "etag"), format!("\"{}\"", "01".repeat(32)));
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!((read.path.as_str(), read.bytes), ("frame/part-1", 0..100));
		// Only the chunks with the file are fetched, and its neighbour finds the one that they share.
		assert_eq!(pack.bytes.read_bytes(), 144 - 32);
		let (_, _, content) = stand
			.http(&at("frame/part-2"), &[("range", "bytes=0-3")])
			.await;
		assert_eq!(content, Some((140..144).collect()));
		assert_eq!(pack.bytes.read_bytes(), 144 - 32);
		let (status, headers, content) = stand
			.http(&at("frame/part-2"), &[("range", "bytes=-2")])
			.await;
		assert_eq!((status, content), (206, Some(vec![254, 255])));
		assert_eq!(text(&headers, "content-range"), "bytes 114-115/116");
		let (status, headers, _) = stand
			.http(&at("frame/part-1"), &[("range", "bytes=100-")])
			.await;
		assert_eq!(
			(status, text(&headers, "content-range")),
			(416, "bytes */100".to_owned())
		);
		let (status, headers, _) = stand.send(plain("HEAD", &at("frame/part-2"), &[])).await;
		assert_eq!(
			(status, text(&headers, "content-length")),
			(200, "116".to_owned())
		);
		let (status, _, content) = stand.http(&at("frame/part-3"), &[]).await;
		assert_eq!((status, content), (200, Some(Vec::new())));
		let (status, _, xml) = stand
			.s3("GET", &format!("/{BUCKET}"), &[("list-type", "2")])
			.await;
		assert_eq!((status, xml.matches("<Contents>").count()), (200, 3));
		assert!(
			xml.contains("<Key>frame/part-2</Key>") && xml.contains("<Size>116</Size>"),
			"{xml}"
		);
	})
	.await;
}

#[tokio::test]
async fn conditions_are_met_or_refused() {
	here(async {
		let stand = Stand::new();
		let path = at("large.parquet");
		let (status, headers, content) = stand.send(plain("HEAD", &path, &[])).await;
		assert_eq!((status, content), (200, Some(Vec::new())));
		assert_eq!(text(&headers, "content-length"), "256");
		let tag = text(&headers, "etag");
		assert_eq!(tag.len(), 66);
		let (status, headers, _) = stand.http(&path, &[("range", "bytes=256-")]).await;
		assert_eq!(
			(status, text(&headers, "content-range")),
			(416, "bytes */256".to_owned())
		);
		let ask = async |headers: &[(&str, &str)]| stand.http(&path, headers).await.0;
		assert_eq!(ask(&[("if-none-match", &tag)]).await, 304);
		assert_eq!(ask(&[("if-none-match", "\"x\", *")]).await, 304);
		assert_eq!(ask(&[("if-none-match", "\"x\"")]).await, 200);
		assert_eq!(ask(&[("if-match", "\"x\"")]).await, 412);
		assert_eq!(
			ask(&[("if-match", &tag), ("range", "bytes=0-1")]).await,
			206
		);
		assert_eq!(
			ask(&[("if-range", "\"x\""), ("range", "bytes=0-1")]).await,
			200
		);
		assert_eq!(
			ask(&[("if-range", &tag), ("range", "bytes=0-1")]).await,
			206
		);
		assert_eq!(ask(&[("range", "bytes=0-1,4-5")]).await, 200);
	})
	.await;
}

#[tokio::test]
async fn lists_over_http_are_json() {
	here(async {
		let stand = Stand::new();
		let json = async |path: &str| -> serde_json::Value {
			let (status, _, content) = stand.http(path, &[]).await;
			assert_eq!(status, 200);
			serde_json::from_slice(&content.unwrap()).unwrap()
		};
		let datasets = json("/").await;
		assert_eq!(datasets.as_array().unwrap().len(), 1);
		assert_eq!(datasets[0]["bucket"], BUCKET);
		let files = json(&at("")).await;
		assert_eq!(files.as_array().unwrap().len(), 5);
		let files = json(&at("a%20b/")).await;
		assert_eq!(files[0]["path"], "a b/1+2.csv");
		assert_eq!(files[0]["size"], 10);
	})
	.await;
}

#[tokio::test]
async fn a_revoked_reader_hears_the_chains_sentence() {
	here(async {
		let stand = Stand::new();
		assert_eq!(stand.http(&at("large.parquet"), &[]).await.0, 200);
		let revoked = "the caller's grant was revoked";
		*stand.refusal.lock().unwrap() = Some(Refusal::Denied(revoked.into()));
		let (status, headers, content) = stand.http(&at("large.parquet"), &[]).await;
		assert_eq!((status, content), (403, Some(format!("{revoked}\n").into_bytes())));
		assert_eq!(text(&headers, "x-isthmus-reason"), revoked);
		assert!(matches!(stand.saw().await, Event::Refused(refused) if refused.reason == revoked && refused.status == 403));
		let key = format!("/{BUCKET}/large.parquet");
		let (status, _, xml) = stand.s3("GET", &key, &[]).await;
		assert_eq!(status, 403);
		assert!(xml.contains("<Code>AccessDenied</Code><Message>the caller&apos;s grant was revoked</Message>"), "{xml}");
		let (status, headers, xml) = stand.s3("HEAD", &key, &[]).await;
		assert_eq!((status, xml.as_str(), text(&headers, "x-isthmus-reason").as_str()), (403, "", revoked));
		for (refusal, expected) in [
			(Refusal::NoFile("no".into()), (404, "NoSuchKey")),
			(Refusal::NoDataset("no".into()), (404, "NoSuchBucket")),
			(Refusal::Unreachable("no".into()), (503, "ServiceUnavailable")),
			(Refusal::Busy, (503, "SlowDown")),
			(Refusal::Failed("no".into()), (500, "InternalError")),
		] {
			*stand.refusal.lock().unwrap() = Some(refusal);
			let (status, _, xml) = stand.s3("GET", &key, &[]).await;
			assert!(xml.contains(expected.1), "{xml}");
			assert_eq!(status, expected.0);
		}
	})
	.await;
}

#[tokio::test]
async fn a_read_that_fails_in_the_middle_breaks_off() {
	here(async {
		let stand = Stand::new();
		let (status, _, content) = stand.http(&at("fails.bin"), &[]).await;
		assert_eq!((status, content), (200, None));
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		assert_eq!(
			(read.bytes, read.failed),
			(0..32, Some("the node is gone".to_owned()))
		);
		// What fails before anything is sent is an answer of its own.
		let (status, _, content) = stand
			.http(&at("fails.bin"), &[("range", "bytes=50-")])
			.await;
		assert_eq!(
			(status, content),
			(503, Some(b"the node is gone\n".to_vec()))
		);
	})
	.await;
}

#[tokio::test]
async fn a_program_that_pauses_holds_up_no_other() {
	here(async {
		let stand = Stand::new();
		let path = at("large.parquet");
		let paused = stand
			.gateway
			.answer(&plain("GET", &path, &[]).body("").unwrap())
			.await;
		let mut paused = paused.into_body();
		assert!(paused.frame().await.unwrap().is_ok());
		for _ in 0..3 {
			let (status, _, content) = stand.http(&path, &[]).await;
			assert_eq!((status, content), (200, Some((0..=255).collect())));
		}
		// A program that goes away is told of.
		drop(paused);
		loop {
			if let Event::Read(read) = stand.saw().await {
				if read.failed.is_some() {
					assert_eq!(read.failed.as_deref(), Some("the program stopped reading"));
					break;
				}
			}
		}
	})
	.await;
}

#[tokio::test]
async fn a_revocation_ends_a_read_that_goes_on() {
	here(async {
		let stand = Stand::with_limits(Limits {
			asking: Duration::ZERO,
			..Limits::default()
		});
		let request = plain("GET", &at("large.parquet"), &[]).body("").unwrap();
		let mut body = stand.gateway.answer(&request).await.into_body();
		assert!(body.frame().await.unwrap().is_ok());
		let revoked = "the caller's grant was revoked";
		*stand.refusal.lock().unwrap() = Some(Refusal::Denied(revoked.into()));
		let broken = loop {
			match body.frame().await.unwrap() {
				Ok(_) => {}
				Err(refusal) => break refusal,
			}
		};
		assert_eq!(broken, Refusal::Denied(revoked.into()));
		let Event::Read(read) = stand.saw().await else {
			panic!("no read");
		};
		// What was on its way already arrived.
		assert!(read.bytes.end <= 48, "{:?}", read.bytes);
		assert_eq!(read.failed.as_deref(), Some(revoked));
	})
	.await;
}

#[tokio::test]
async fn a_program_that_reads_too_slowly_is_cut_off() {
	here(async {
		let stand = Stand::with_limits(Limits {
			stalled: Duration::from_millis(20),
			..Limits::default()
		});
		let request = plain("GET", &at("large.parquet"), &[]).body("").unwrap();
		let _body = stand.gateway.answer(&request).await.into_body();
		let ended = loop {
			tokio::time::sleep(Duration::from_millis(1)).await;
			if let Some(event) = stand.log.0.lock().unwrap().pop() {
				break event;
			}
		};
		let Event::Read(read) = ended else {
			panic!("no read");
		};
		assert_eq!(read.failed.as_deref(), Some("the program read too slowly"));
	})
	.await;
}

#[tokio::test]
async fn who_shows_nothing_or_something_wrong_reads_nothing() {
	here(async {
		let stand = Stand::new();
		let ask = async |headers: &[(&str, &str)]| {
			let request = hyper::Request::builder().uri(at("large.parquet"));
			let all = headers.iter().fold(request, |request, (name, value)| {
				request.header(*name, *value)
			});
			let (status, _, content) = stand.send(all).await;
			(
				status,
				String::from_utf8_lossy(&content.unwrap()).into_owned(),
			)
		};
		let host = ("host", "127.0.0.1");
		assert_eq!(ask(&[host]).await.0, 401);
		assert_eq!(ask(&[host, ("authorization", "Bearer x")]).await.0, 401);
		assert_eq!(ask(&[host, ("authorization", "Basic x")]).await.0, 400);
		let token = format!("Bearer {TOKEN}");
		let good = ("authorization", token.as_str());
		assert_eq!(ask(&[good]).await.0, 403);
		let (status, words) = ask(&[("host", "evil.org"), good]).await;
		assert!(
			status == 403 && words.contains("under this name"),
			"{words}"
		);
		let (status, words) = ask(&[host, ("origin", "https://evil.org"), good]).await;
		assert!(status == 403 && words.contains("web pages"), "{words}");
		assert_eq!(ask(&[host, ("origin", "null"), good]).await.0, 403);
		assert_eq!(ask(&[("host", "data.example.org"), good]).await.0, 200);
		assert_eq!(
			ask(&[host, ("origin", "http://localhost:9000"), good])
				.await
				.0,
			200
		);
		let path = format!("/{BUCKET}/large.parquet?X-Amz-Algorithm=AWS4-HMAC-SHA256");
		let request = hyper::Request::builder()
			.uri(path)
			.header("host", "127.0.0.1");
		assert_eq!(stand.send(request).await.0, 400);
		let other = Credentials::new("KEY".into(), "x".repeat(20), "x".repeat(20)).unwrap();
		let query = signature::sign("GET", "/", &[], &other);
		let request = hyper::Request::builder()
			.uri(format!("/?{query}"))
			.header("host", "127.0.0.1");
		let (status, _, xml) = stand.send(request).await;
		assert_eq!(status, 403);
		assert!(String::from_utf8(xml.unwrap())
			.unwrap()
			.contains("SignatureDoesNotMatch"));
	})
	.await;
}

#[tokio::test]
async fn buckets_and_objects_are_listed() {
	here(async {
		let stand = Stand::new();
		let (status, _, xml) = stand.s3("GET", "/", &[("x-id", "ListBuckets")]).await;
		assert_eq!((status, xml.matches("<Bucket>").count()), (200, 1));
		assert!(xml.contains(&format!("<Name>{BUCKET}</Name>")), "{xml}");
		let bucket = format!("/{BUCKET}");
		let list = async |query: &[(&str, &str)]| {
			let (status, _, xml) = stand.s3("GET", &bucket, query).await;
			assert_eq!(status, 200, "{xml}");
			xml
		};
		let all = list(&[("list-type", "2")]).await;
		assert_eq!(all.matches("<Contents>").count(), 5);
		assert!(
			all.contains(
				"<Key>é/ü&amp;&lt;</Key><LastModified>2023-11-14T22:13:20.000Z</LastModified>"
			),
			"{all}"
		);
		assert!(
			all.contains("<Size>256</Size>") && all.contains("<IsTruncated>false</IsTruncated>")
		);
		let encoded = list(&[
			("list-type", "2"),
			("encoding-type", "url"),
			("prefix", "a "),
		])
		.await;
		assert!(
			encoded.contains("<Key>a%20b/1%2B2.csv</Key>")
				&& encoded.contains("<Prefix>a%20</Prefix>"),
			"{encoded}"
		);
		let folders = list(&[("list-type", "2"), ("delimiter", "/")]).await;
		assert!(
			folders.contains("<CommonPrefixes><Prefix>a b/</Prefix></CommonPrefixes>"),
			"{folders}"
		);
		assert!(folders.contains("<KeyCount>5</KeyCount>"));
		let first = list(&[("list-type", "2"), ("max-keys", "2")]).await;
		let (_, token) = first.split_once("<NextContinuationToken>").unwrap();
		let (token, _) = token.split_once('<').unwrap();
		let second = list(&[("list-type", "2"), ("continuation-token", token)]).await;
		assert_eq!(second.matches("<Contents>").count(), 3);
		let older = list(&[("max-keys", "2"), ("marker", "a b/1+2.csv")]).await;
		assert!(
			older.contains("<NextMarker>fails.bin</NextMarker>"),
			"{older}"
		);
		let location = list(&[("location", "")]).await;
		assert!(location.contains("<LocationConstraint"));
		let (status, headers, _) = stand.s3("HEAD", &bucket, &[]).await;
		assert_eq!(
			(status, text(&headers, "x-amz-bucket-region")),
			(200, "us-east-1".to_owned())
		);
	})
	.await;
}

#[tokio::test]
async fn what_the_gateway_does_not_do_is_refused_with_a_sentence() {
	here(async {
		let stand = Stand::new();
		let (bucket, key) = (format!("/{BUCKET}"), format!("/{BUCKET}/large.parquet"));
		let ended = bucket.replace("-3", "-5");
		for (method, path, query, expected) in [
			("PUT", &key, &[][..], (403, "AccessDenied")),
			("DELETE", &key, &[], (403, "AccessDenied")),
			("POST", &bucket, &[("delete", "")], (403, "AccessDenied")),
			("PUT", &bucket, &[], (403, "AccessDenied")),
			("GET", &bucket, &[("acl", "")], (501, "NotImplemented")),
			(
				"GET",
				&bucket,
				&[("versioning", "")],
				(501, "NotImplemented"),
			),
			("GET", &key, &[("tagging", "")], (501, "NotImplemented")),
			("GET", &key, &[("partNumber", "2")], (501, "NotImplemented")),
			(
				"GET",
				&bucket,
				&[("list-type", "3")],
				(400, "InvalidArgument"),
			),
			(
				"GET",
				&bucket,
				&[("max-keys", "-1")],
				(400, "InvalidArgument"),
			),
			(
				"GET",
				&bucket,
				&[("list-type", "2"), ("continuation-token", "x")],
				(400, "InvalidArgument"),
			),
			(
				"GET",
				&bucket,
				&[("encoding-type", "x")],
				(400, "InvalidArgument"),
			),
			("GET", &ended, &[], (404, "NoSuchBucket")),
		] {
			let (status, _, xml) = stand.s3(method, path, query).await;
			assert_eq!(status, expected.0, "{method} {path}: {xml}");
			assert!(
				xml.contains(&format!("<Code>{}</Code><Message>", expected.1)),
				"{xml}"
			);
		}
		assert_eq!(
			stand
				.s3("GET", &key, &[("versionId", "null"), ("partNumber", "1")])
				.await
				.0,
			200
		);
		assert_eq!(stand.send(plain("POST", &at("empty"), &[])).await.0, 405);
		for path in [
			"/x",
			"/x/3/empty",
			"/%ff",
			"//",
			"/a/b/c?x=%ff",
			&at("none"),
		] {
			let status = stand.http(path, &[]).await.0;
			assert!(status == 404 || status == 400, "{path}: {status}");
		}
	})
	.await;
}

#[tokio::test]
async fn bytes_that_are_no_request_end_their_connection_only() {
	use tokio::io::{AsyncReadExt, AsyncWriteExt};
	here(async {
		let stand = Stand::new();
		let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		tokio::task::spawn_local(stand.gateway.clone().serve(listener, std::future::pending()));
		let ask = async |bytes: &[u8]| {
			let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
			// The gateway may have closed the connection already.
			let _ = connection.write_all(bytes).await;
			// A program that closes its half has given up.
			if !bytes.ends_with(b"\r\n\r\n") {
				let _ = connection.shutdown().await;
			}
			let mut answer = Vec::new();
			let _ = connection.read_to_end(&mut answer).await;
			String::from_utf8_lossy(&answer).into_owned()
		};
		assert_eq!(ask(b"").await, "");
		assert!(ask(b"\x16\x03\x01\x02\0").await.starts_with("HTTP/1.1 400"));
		let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(1_000_000));
		let answer = ask(long.as_bytes()).await;
		assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"));
		assert!(ask(b"GET / HTTP/1.0\r\n\r\n")
			.await
			.starts_with("HTTP/1.0 403"));
		let good = format!(
			"GET {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n",
			at("large.parquet")
		);
		assert!(ask(good.as_bytes()).await.starts_with("HTTP/1.1 200"));
	})
	.await;
}

proptest::proptest! {
	#![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

	#[test]
	fn no_request_ends_the_gateway(
		method in "GET|HEAD|PUT|X",
		path in "(/|/01010101010101010101010101010101-3|/%[0-9a-f]{2}){0,3}",
		query in "([a-zA-Z-]{0,9}=?[%a-f0-9+]{0,6}&?){0,4}",
		authorization in "(AWS4-HMAC-SHA256 |Bearer |)[ -~]{0,60}",
		range in "bytes=[0-9]{0,30}-[0-9]{0,30}|[ -~]{0,9}",
	) {
		let request = hyper::Request::builder()
			.method(method.as_str())
			.uri(format!("/{path}?{query}"))
			.header("host", "127.0.0.1")
			.header("range", range)
			.header("authorization", authorization);
		if let Ok(request) = request.body("") {
			let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
			let status = runtime.block_on(here(async {
				Stand::new().gateway.answer(&request).await.status().as_u16()
			}));
			assert!(status >= 400);
		}
	}
}
