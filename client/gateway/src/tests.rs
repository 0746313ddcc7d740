// SPDX-License-Identifier: Apache-2.0
//! Tests of the whole gateway over a source in memory.

mod asking;
mod reading;

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
	/// Other datasets.
	others: Arc<Mutex<Vec<Dataset>>>,
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
		let mut datasets = vec![
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
		];
		datasets.extend(self.others.lock().unwrap().iter().cloned());
		Ok(datasets)
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
	pub(crate) others: Arc<Mutex<Vec<Dataset>>>,
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
		let others = Arc::<Mutex<Vec<Dataset>>>::default();
		let files = Arc::new(Mutex::new(files.collect()));
		let shelf = Shelf {
			files: Arc::clone(&files),
			refusal: refusal.clone(),
			others: others.clone(),
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
			others,
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
