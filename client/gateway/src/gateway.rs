// SPDX-License-Identifier: Apache-2.0
//! The server: who may ask, what was asked, and the bytes of files.

use crate::{
	answer::{close, full, Answer, Failure},
	bucket,
	cache::Cache,
	credentials::Credentials,
	guard::Guard,
	http,
	range::{asked, Asked},
	s3,
	source::{Dataset, Opened, Place, Refusal, Source},
};
use bytes::Bytes;
use futures::{stream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
	body::{Frame, Incoming},
	header::{self, HeaderMap, HeaderName, HeaderValue},
	server::conn::http1,
	service::service_fn,
	Method, Request, Response, StatusCode,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use isthmus_sdk::RecordKey;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use std::{
	convert::Infallible,
	future::Future,
	ops::Range,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::Duration,
};
use tokio::{
	net::{TcpListener, TcpStream},
	sync::{mpsc, OwnedSemaphorePermit, Semaphore},
	task::spawn_local,
	time::{sleep, timeout},
};

/// How many connections there may be at the same time. Others wait.
const CONNECTIONS: usize = 128;
/// How many files may be read at the same time. Others wait.
const READS: usize = 12;
/// How many pieces of a file, of a few MiB each, are fetched at the same time.
const PIECES: usize = 3;
/// How long a connection may be idle, or take for the head of a request.
const IDLE: Duration = Duration::from_secs(60);
/// How long a request waits for other reads.
const TURN: Duration = Duration::from_secs(30);
/// How long the chain may take to answer, before the program that asked is told.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a program may take for a piece of a file.
const STALLED: Duration = Duration::from_secs(60);
/// The longest head of a request, in bytes.
const HEAD: usize = 64 << 10;
/// How long to wait after an error of the listener, such as too many open files.
const BREATH: Duration = Duration::from_millis(100);

/// How a gateway answers.
#[derive(Clone, Debug)]
pub struct Settings {
	/// What programs have to show.
	pub credentials: Credentials,
	/// The names under which it may be asked, besides the loopback addresses.
	pub hosts: Vec<String>,
	/// How many decrypted bytes are kept in memory.
	pub cache: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
	/// Bytes of a file were sent.
	Read(Read),
	/// A request was refused.
	Refused(Refused),
}

/// Bytes of a file that were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
	/// Who asked: the access key, or `token`.
	pub who: String,
	/// The dataset.
	pub place: Place,
	/// The file's path.
	pub path: String,
	/// The key of its record.
	pub key: RecordKey,
	/// The bytes that were sent.
	pub bytes: Range<u64>,
	/// Why not all were sent that were asked for, if so.
	pub failed: Option<String>,
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
	/// Who asked: the access key or `token`; `None` if nobody who showed one.
	pub who: Option<String>,
	/// The method, such as `GET`.
	pub method: String,
	/// The path that was asked for, as it was sent.
	pub path: String,
	/// The status of the answer.
	pub status: u16,
	/// Why.
	pub reason: String,
}

/// Receives what happens.
pub trait Watch: 'static {
	/// Called for each event.
	fn saw(&self, event: Event);
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
	/// Chunks that were in memory when they were asked for.
	pub hits: u64,
	/// Chunks that were fetched.
	pub fetched: u64,
}

/// Answers requests for what a source has.
pub struct Gateway<From, To> {
	source: From,
	watch: To,
	settings: Settings,
	guard: Guard,
	cache: Cache,
	/// The datasets that were seen so far, by their buckets.
	known: Mutex<Vec<(String, Dataset)>>,
	reads: Arc<Semaphore>,
	requests: AtomicU64,
}

impl<From: Source, To: Watch> Gateway<From, To> {
	/// Makes a gateway.
	pub fn new(source: From, watch: To, settings: Settings) -> Arc<Self> {
		Arc::new(Self {
			source,
			watch,
			guard: Guard::new(&settings.hosts),
			cache: Cache::new(settings.cache),
			settings,
			known: Mutex::default(),
			reads: Arc::new(Semaphore::new(READS)),
			requests: AtomicU64::new(0),
		})
	}

	/// Returns what is read.
	pub fn source(&self) -> &From {
		&self.source
	}

	/// Returns what was counted since the start.
	pub fn totals(&self) -> Totals {
		let (hits, fetched) = self.cache.counts();
		Totals { hits, fetched }
	}

	/// Answers requests, until the future is dropped. It has to run in a [`LocalSet`](tokio::task::LocalSet): all files are
	/// read on one thread.
	pub async fn serve(self: Arc<Self>, listener: TcpListener) -> Infallible {
		let connections = Arc::new(Semaphore::new(CONNECTIONS));
		loop {
			let Ok(permit) = connections.clone().acquire_owned().await else {
				// The semaphore is never closed.
				sleep(BREATH).await;
				continue;
			};
			match listener.accept().await {
				Ok((connection, _)) => {
					let gateway = self.clone();
					spawn_local(async move {
						gateway.connection(connection).await;
						drop(permit);
					});
				}
				Err(_) => sleep(BREATH).await,
			}
		}
	}

	/// Answers the requests of a connection. What is wrong with a connection, its program knows.
	async fn connection(self: Arc<Self>, connection: TcpStream) {
		let _ = connection.set_nodelay(true);
		let answer = service_fn(|request: Request<Incoming>| {
			let gateway = self.clone();
			async move { Ok::<_, Infallible>(gateway.answer(&request).await) }
		});
		let _ = http1::Builder::new()
			.timer(TokioTimer::new())
			.header_read_timeout(IDLE)
			.max_buf_size(HEAD)
			.serve_connection(TokioIo::new(connection), answer)
			.await;
	}

	/// Answers a request.
	pub(crate) async fn answer<Content>(self: &Arc<Self>, request: &Request<Content>) -> Answer {
		let number = self.requests.fetch_add(1, Ordering::Relaxed);
		let asked = Question::new(request);
		let mut answer = match asked {
			Ok(asked) => match asked.bearer() {
				Some(token) => http::answer(self, &asked, token).await,
				None => s3::answer(self, &asked, number).await,
			},
			Err(words) => {
				let failure = Failure::invalid(words);
				self.refused(None, request.method(), request.uri().path(), &failure);
				s3::refusal(&failure, request.uri().path(), number, false)
			}
		};
		let id = HeaderName::from_static("x-amz-request-id");
		if let Ok(number) = HeaderValue::from_str(&format!("{number:016X}")) {
			answer.headers_mut().insert(id, number);
		}
		answer
	}

	/// Refuses requests that a web page of someone else made.
	pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Failure> {
		let header = |name| match headers.get(name) {
			None => None,
			// What is no text is not allowed either.
			Some(value) => Some(value.to_str().unwrap_or("?")),
		};
		if !self.guard.is_own_host(header(header::HOST)) {
			return Err(Failure::denied(
				"the gateway is not asked under this name: use 127.0.0.1, with S3's path style, or start it with --host NAME",
			));
		}
		match self.guard.is_own_origin(header(header::ORIGIN)) {
			true => Ok(()),
			false => Err(Failure::denied(
				"the gateway does not answer web pages of others",
			)),
		}
	}

	pub(crate) fn credentials(&self) -> &Credentials {
		&self.settings.credentials
	}

	/// Tells that a request was refused.
	pub(crate) fn refused(
		&self,
		who: Option<&str>,
		method: &Method,
		path: &str,
		failure: &Failure,
	) {
		self.watch.saw(Event::Refused(Refused {
			who: who.map(str::to_owned),
			method: method.to_string(),
			path: path.to_owned(),
			status: failure.status.as_u16(),
			reason: failure.words.clone(),
		}));
	}

	/// Waits for an answer of the source, but not for ever.
	pub(crate) async fn patiently<T>(
		&self,
		answer: impl Future<Output = Result<T, Refusal>>,
	) -> Result<T, Failure> {
		let late = |_| {
			let words = format!(
				"the node did not answer within {} seconds",
				PATIENCE.as_secs()
			);
			Refusal::Unreachable(words)
		};
		Ok(timeout(PATIENCE, answer).await.map_err(late)??)
	}

	fn known(&self) -> MutexGuard<'_, Vec<(String, Dataset)>> {
		self.known.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Returns the datasets that there are now, with their buckets.
	pub(crate) async fn datasets(&self) -> Result<Vec<(String, Dataset)>, Failure> {
		let datasets = self.patiently(self.source.datasets()).await?;
		let named = datasets
			.into_iter()
			.map(|dataset| (bucket::name(&dataset.place), dataset));
		let now: Vec<_> = named.collect();
		let mut known = self.known();
		// Of what was granted once, it is still known why it is refused.
		known.retain(|(bucket, _)| now.iter().all(|(other, _)| other != bucket));
		known.extend(now.iter().cloned());
		Ok(now)
	}

	/// Finds a dataset among those that are known, or asks which there are.
	pub(crate) async fn find(
		&self,
		is_it: impl Fn(&str, &Dataset) -> bool,
	) -> Result<Option<Place>, Failure> {
		let find = || {
			let known = self.known();
			let found = known
				.iter()
				.find(|(bucket, dataset)| is_it(bucket, dataset));
			found.map(|(_, dataset)| dataset.place)
		};
		if let Some(found) = find() {
			return Ok(Some(found));
		}
		self.datasets().await?;
		Ok(find())
	}

	/// Answers with a file, or a part of it.
	pub(crate) async fn file(
		self: &Arc<Self>,
		who: &str,
		place: Place,
		path: &str,
		asked_by: &Question<'_>,
	) -> Result<Answer, Failure> {
		let opened = self.patiently(self.source.open(place, path)).await?;
		let length = opened.file.length;
		let tag = format!("\"{}\"", hex::encode(opened.file.hash));
		let (status, part) = match condition(asked_by, &tag)? {
			Condition::Same => (StatusCode::NOT_MODIFIED, 0..0),
			Condition::All => (StatusCode::OK, 0..length),
			Condition::Part => match asked(asked_by.header(header::RANGE), length) {
				Asked::All => (StatusCode::OK, 0..length),
				Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
				Asked::Outside => return Err(Failure::outside(length)),
			},
		};
		let has_content = asked_by.method == Method::GET && !part.is_empty();
		let mut answer = match has_content {
			true => Response::new(self.content(who, opened.clone(), part.clone()).await?),
			false => Response::new(full(Bytes::new())),
		};
		*answer.status_mut() = status;
		close(&mut answer);
		let headers = answer.headers_mut();
		let mut set = |name, value: String| {
			if let Ok(value) = HeaderValue::from_str(&value) {
				headers.insert(name, value);
			}
		};
		set(header::ETAG, tag);
		set(header::ACCEPT_RANGES, "bytes".to_owned());
		set(
			header::LAST_MODIFIED,
			date(opened.file.date, "%a, %d %b %Y %H:%M:%S GMT"),
		);
		if status == StatusCode::NOT_MODIFIED {
			return Ok(answer);
		}
		set(header::CONTENT_TYPE, http::kind(path).to_owned());
		set(header::CONTENT_LENGTH, (part.end - part.start).to_string());
		if status == StatusCode::PARTIAL_CONTENT {
			let (first, last) = (part.start, part.end.saturating_sub(1));
			set(
				header::CONTENT_RANGE,
				format!("bytes {first}-{last}/{length}"),
			);
		}
		Ok(answer)
	}

	/// Reads the first piece, so that it is known whether the file can be read, and makes a body of all.
	async fn content(
		self: &Arc<Self>,
		who: &str,
		opened: Opened<From::Bytes>,
		part: Range<u64>,
	) -> Result<crate::answer::Body, Failure> {
		let turn = timeout(TURN, self.reads.clone().acquire_owned()).await;
		let Ok(Ok(turn)) = turn else {
			return Err(Refusal::Busy.into());
		};
		let mut pieces = Cache::pieces(part.clone(), opened.chunk);
		let first = pieces.next().unwrap_or_default();
		let first = self.patiently(self.cache.read(&opened, first)).await?;
		let read = Read {
			who: who.to_owned(),
			place: opened.place,
			path: opened.file.path.clone(),
			key: opened.file.key,
			bytes: part.start..part.start,
			failed: None,
		};
		let (send, mut receive) = mpsc::channel(1);
		let gateway = self.clone();
		let rest: Vec<_> = pieces.collect();
		spawn_local(async move { gateway.send(first, rest, opened, read, turn, send).await });
		let next = move |context: &mut std::task::Context<'_>| receive.poll_recv(context);
		let content = StreamBody::new(stream::poll_fn(next));
		Ok(content.boxed_unsync())
	}

	/// Sends a file's pieces, and tells how far it came.
	async fn send(
		&self,
		first: Vec<Bytes>,
		rest: Vec<Range<u64>>,
		opened: Opened<From::Bytes>,
		mut read: Read,
		turn: OwnedSemaphorePermit,
		send: mpsc::Sender<Result<Frame<Bytes>, Refusal>>,
	) {
		let later = rest
			.into_iter()
			.map(|piece| self.cache.read(&opened, piece));
		let mut pieces = stream::once(async { Ok(first) })
			.chain(stream::iter(later).buffered(PIECES))
			.boxed_local();
		'sending: while let Some(piece) = pieces.next().await {
			let piece = match piece {
				Ok(piece) => piece,
				Err(refusal) => {
					read.failed = Some(refusal.to_string());
					let _ = timeout(STALLED, send.send(Err(refusal))).await;
					break;
				}
			};
			for bytes in piece {
				let count = bytes.len() as u64;
				let sent = timeout(STALLED, send.send(Ok(Frame::data(bytes)))).await;
				if !matches!(sent, Ok(Ok(()))) {
					read.failed = Some("the program stopped reading".to_owned());
					break 'sending;
				}
				read.bytes.end += count;
			}
		}
		drop(turn);
		self.watch.saw(Event::Read(read));
	}
}

/// A request, taken apart.
pub(crate) struct Question<'a> {
	pub(crate) method: &'a Method,
	/// The path, as it was sent.
	pub(crate) raw: &'a str,
	/// The path, decoded.
	pub(crate) path: String,
	/// The query, decoded.
	pub(crate) query: Vec<(String, String)>,
	pub(crate) headers: &'a HeaderMap,
}

impl<'a> Question<'a> {
	/// Takes a request apart, or returns what is wrong with it.
	fn new<Content>(request: &'a Request<Content>) -> Result<Self, &'static str> {
		let raw = request.uri().path();
		let decode = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
		let pair = |pair: &str| {
			let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
			Some((decode(name)?, decode(&value.replace('+', " "))?))
		};
		let pairs = request.uri().query().unwrap_or_default().split('&');
		let query: Option<Vec<_>> = pairs.filter(|pair| !pair.is_empty()).map(pair).collect();
		Ok(Self {
			method: request.method(),
			raw,
			path: decode(raw).ok_or("the path is not UTF-8")?,
			query: query.ok_or("the query is not UTF-8")?,
			headers: request.headers(),
		})
	}

	/// Returns the value of a header, if it is text.
	pub(crate) fn header(&self, name: HeaderName) -> Option<&'a str> {
		self.headers.get(name)?.to_str().ok()
	}

	/// Returns a field of the query.
	pub(crate) fn field(&self, name: &str) -> Option<&str> {
		let found = self.query.iter().find(|(key, _)| key == name);
		found.map(|(_, value)| value.as_str())
	}

	pub(crate) fn is_head(&self) -> bool {
		self.method == Method::HEAD
	}

	/// Returns the token of a request over plain HTTP; `None` if it is one of S3. A request that shows nothing and asks for
	/// nothing of S3's is of a program, or a person, that has to be told about the token.
	fn bearer(&self) -> Option<Option<&'a str>> {
		let header = self.header(header::AUTHORIZATION);
		if let Some((scheme, token)) = header.and_then(|header| header.split_once(' ')) {
			if scheme.eq_ignore_ascii_case("bearer") {
				return Some(Some(token.trim()));
			}
		}
		let is_s3 = self.headers.contains_key(header::AUTHORIZATION)
			|| self.headers.contains_key("x-amz-content-sha256")
			|| self.headers.contains_key("x-amz-date")
			|| !self.query.is_empty();
		(!is_s3).then_some(None)
	}
}

/// What the conditions of a request come to.
enum Condition {
	/// The program has the file already.
	Same,
	/// All is sent, as the program has parts of another file.
	All,
	/// What was asked for is sent.
	Part,
}

/// Compares the tags in a request's conditions with the file's.
fn condition(asked_by: &Question, tag: &str) -> Result<Condition, Failure> {
	let names_it = |tags: &str| {
		let mut tags = tags
			.split(',')
			.map(|tag| tag.trim().trim_start_matches("W/"));
		tags.any(|other| other == "*" || other.trim_matches('"') == tag.trim_matches('"'))
	};
	if asked_by
		.header(header::IF_MATCH)
		.is_some_and(|tags| !names_it(tags))
	{
		let words = "the file was stored again since";
		return Err(Failure::new(
			StatusCode::PRECONDITION_FAILED,
			"PreconditionFailed",
			words,
		));
	}
	if asked_by.header(header::IF_NONE_MATCH).is_some_and(names_it) {
		return Ok(Condition::Same);
	}
	Ok(match asked_by.header(header::IF_RANGE) {
		Some(other) if !names_it(other) => Condition::All,
		_ => Condition::Part,
	})
}

/// Returns a date in a format of `strftime`; the first of 1970 if there is no such date.
pub(crate) fn date(seconds: u64, format: &str) -> String {
	let at = i64::try_from(seconds)
		.ok()
		.and_then(|seconds| Timestamp::from_second(seconds).ok());
	at.unwrap_or_default().strftime(format).to_string()
}
