// SPDX-License-Identifier: Apache-2.0
//! Connections and their requests.

use crate::{
	answer::{Answer, Failure},
	gateway::Gateway,
	http,
	question::Question,
	s3,
	source::Source,
	watch::Watch,
};
use hyper::{
	body::Incoming,
	header::{HeaderName, HeaderValue},
	server::conn::http1,
	service::service_fn,
	Request,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::{
	net::{TcpListener, TcpStream},
	sync::{watch, Semaphore},
	task::spawn_local,
	time::sleep,
};

/// How many connections there may be at the same time. Others wait.
const CONNECTIONS: usize = 128;
/// How long a connection may be idle, or take for the head of a request.
const IDLE: Duration = Duration::from_secs(60);
/// The longest head of a request, in bytes. hyper may read a little more at once.
const HEAD: usize = 64 << 10;
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
		let answer = service_fn(|request: Request<Incoming>| {
			let gateway = self.clone();
			async move { Ok::<_, Infallible>(gateway.answer(&request).await) }
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

	/// Answers a request.
	pub(crate) async fn answer<Content>(self: &Arc<Self>, request: &Request<Content>) -> Answer {
		let number = self.number();
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
}
