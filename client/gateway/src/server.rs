// SPDX-License-Identifier: Apache-2.0
//! Connections and their requests.

use crate::{
	answer::{text, Answer, Failure},
	gateway::Gateway,
	http,
	question::{Local, Question},
	s3, sharing,
	source::Source,
	watch::Watch,
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
	body::{Body, Incoming},
	header::{HeaderName, HeaderValue, EXPECT},
	server::conn::http1,
	service::service_fn,
	Method, Request, StatusCode,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::{
	net::{TcpListener, TcpStream},
	sync::{watch, Semaphore},
	task::spawn_local,
	time::{sleep, timeout},
};

/// How many connections there may be at the same time. Others wait.
const CONNECTIONS: usize = 128;
/// How long a connection may be idle, or take for the head of a request.
const IDLE: Duration = Duration::from_secs(60);
/// The longest head of a request, in bytes. hyper may read a little more at once.
const HEAD: usize = 64 << 10;
/// The longest content of a request, in bytes: what a query of Delta Sharing asks for.
const CONTENT: usize = 256 << 10;
/// How much of the content of a request is read and dropped that the gateway does not want, in bytes, and for how long. A
/// program that sends before it reads would otherwise see a broken connection in place of the answer.
const UNWANTED: usize = 16 << 20;
const DROPPING: Duration = Duration::from_secs(10);
/// The path that says that the gateway runs, to those who show nothing.
const HEALTH: &str = "/healthz";
/// How long to wait after an error of the listener, such as too many open files.
const BREATH: Duration = Duration::from_millis(100);

impl<Files: Source, Log: Watch> Gateway<Files, Log> {
	/// Answers requests until `stop` is ready. Then it takes no more of them, and returns when those that it has are answered.
	/// It has to run in a [`LocalSet`](tokio::task::LocalSet): all files are read on one thread.
	pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: impl Future<Output = ()>) {
		let connections = Arc::new(Semaphore::new(CONNECTIONS));
		let (end, ending) = watch::channel(());
		tokio::select! {
			never = self.clone().accept(listener, connections.clone(), ending) => match never {},
			() = stop => {}
		}
		// Connections notice that this is gone.
		drop(end);
		// The semaphores are never closed. The second one is of the files, which are logged when they are sent.
		let _ = connections.acquire_many(CONNECTIONS as u32).await;
		let _ = self.all_read().await;
	}

	/// Takes connections, and answers their requests.
	async fn accept(
		self: Arc<Self>,
		listener: TcpListener,
		connections: Arc<Semaphore>,
		ending: watch::Receiver<()>,
	) -> Infallible {
		loop {
			let Ok(permit) = connections.clone().acquire_owned().await else {
				sleep(BREATH).await;
				continue;
			};
			match listener.accept().await {
				Ok((connection, _)) => {
					let (gateway, ending) = (self.clone(), ending.clone());
					spawn_local(async move {
						gateway.connection(connection, ending).await;
						drop(permit);
					});
				}
				Err(_) => sleep(BREATH).await,
			}
		}
	}

	/// Answers the requests of a connection, or only the one that it is at if the gateway ends. What is wrong with a
	/// connection, its program knows.
	async fn connection(self: Arc<Self>, connection: TcpStream, mut ending: watch::Receiver<()>) {
		let _ = connection.set_nodelay(true);
		let local = connection.local_addr().ok().map(|at| Local(at.ip()));
		let answer = service_fn(|mut request: Request<Incoming>| {
			let gateway = self.clone();
			if let Some(local) = local {
				request.extensions_mut().insert(local);
			}
			async move { Ok::<_, Infallible>(gateway.receive(request).await) }
		});
		let answering = http1::Builder::new()
			.timer(TokioTimer::new())
			.header_read_timeout(IDLE)
			.max_buf_size(HEAD)
			.serve_connection(TokioIo::new(connection), answer);
		let mut answering = pin!(answering);
		tokio::select! {
			_ = &mut answering => return,
			_ = ending.changed() => {}
		}
		answering.as_mut().graceful_shutdown();
		let _ = answering.await;
	}

	/// Reads a request to its end, if its content matters, and answers.
	async fn receive(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
		let (head, body) = request.into_parts();
		let has_content = head.method == Method::POST && sharing::below(head.uri.path()).is_some();
		let waits = head.headers.contains_key(EXPECT);
		let content = match has_content {
			true => content(body).await,
			false => {
				// Who waits for the answer first has sent nothing.
				if !waits {
					drop_content(body).await;
				}
				Ok(Bytes::new())
			}
		};
		match content {
			Ok(content) => self.answer(&Request::from_parts(head, content)).await,
			Err(failure) => {
				self.refused(None, &head.method, head.uri.path(), &failure);
				sharing::refusal(&failure, false)
			}
		}
	}

	/// Answers a request.
	pub(crate) async fn answer<Content: AsRef<[u8]>>(
		self: &Arc<Self>,
		request: &Request<Content>,
	) -> Answer {
		if request.uri().path() == HEALTH {
			let is_head = request.method() == Method::HEAD;
			return text(StatusCode::OK, http::TEXT, "ok\n".to_owned(), is_head);
		}
		let number = self.number();
		let asked = Question::new(request);
		let mut answer = match asked {
			Ok(asked) if sharing::below(&asked.path).is_some() => {
				sharing::answer(self, &asked, asked.bearer().flatten()).await
			}
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
}

/// Reads content that is not wanted, as far as it is short.
async fn drop_content(body: Incoming) {
	if body.is_end_stream() {
		return;
	}
	let mut body = Limited::new(body, UNWANTED);
	let read = async { while let Some(Ok(_)) = body.frame().await {} };
	let _ = timeout(DROPPING, read).await;
}

/// Reads the content of a request.
async fn content(body: Incoming) -> Result<Bytes, Failure> {
	let broken = || Failure::invalid("the content of the request did not arrive");
	let read = timeout(IDLE, Limited::new(body, CONTENT).collect()).await;
	match read.map_err(|_| broken())? {
		Ok(content) => Ok(content.to_bytes()),
		Err(error) if error.is::<LengthLimitError>() => {
			let words = format!("the content of the request has more than {CONTENT} bytes");
			let status = StatusCode::PAYLOAD_TOO_LARGE;
			Err(Failure::new(status, "EntityTooLarge", words))
		}
		Err(_) => Err(broken()),
	}
}
