// SPDX-License-Identifier: Apache-2.0
//! The server: accepts connections, and carries out what their sessions ask for.

use super::session::{Action, Closing, Config, Hashed, Session, Share};
use crate::{
	board::{Board, Work},
	connections::{Connection, Connections, Evict, Evicted},
	lines::{LineTooLong, Lines},
	places::{Place, Places},
};
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use std::{
	collections::{HashSet, VecDeque},
	net::SocketAddr,
	num::NonZeroUsize,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{tcp::OwnedWriteHalf, TcpStream},
	sync::{watch, Semaphore},
	time::{sleep_until, timeout},
};

const LOG_TARGET: &str = "miners";
/// The size of a read.
const READ_BYTES: usize = 2048;

/// What a session's actions do to the node.
pub trait Mine: Clone + Send + Sync + 'static {
	/// Computes a share's hash, on the caller's thread. Returns `None` if that fails.
	fn hash(&self, work: &Work, nonce: u64) -> Option<Hashed>;

	/// Makes a block in the background.
	fn submit(&self, work: &Work, nonce: u64, hashed: Hashed);

	/// Remembers a connection's hash rate, in hashes per second.
	fn set_rate(&self, connection: u16, rate: u64);

	/// Counts a share that was accepted, or why it was refused.
	fn count_share(&self, outcome: &'static str);

	/// Sets the number of connections.
	fn set_connections(&self, connections: usize);
}

/// What the port allows.
#[derive(Clone, Debug)]
pub struct Limits {
	/// The maximum number of connections,
	pub connections: usize,
	/// and of those from one address.
	pub of_an_address: usize,
	/// The time limit for the login.
	pub login: Duration,
	/// The time limit for a line, from its first byte to its last, and for a worker to take an answer.
	pub line: Duration,
	/// The time limit for a worker that sends nothing. A worker submits a share every ten seconds or so.
	pub idle: Duration,
}

impl Default for Limits {
	fn default() -> Self {
		Self {
			connections: 1024,
			of_an_address: 128,
			login: Duration::from_secs(10),
			line: Duration::from_secs(10),
			idle: Duration::from_secs(600),
		}
	}
}

/// Why a connection ends before the worker closes it.
#[derive(Debug, thiserror::Error)]
enum End {
	#[error("connection: {0}")]
	Io(#[from] std::io::Error),
	#[error(transparent)]
	Line(#[from] LineTooLong),
	#[error(transparent)]
	Session(#[from] Closing),
	#[error("sent nothing for too long")]
	Idle,
	#[error("took too long for a line")]
	Slow,
	#[error(transparent)]
	Evicted(#[from] Evicted),
}

/// The parts of the port that all connections share.
struct Port<M> {
	mine: M,
	config: Config,
	limits: Limits,
	board: Mutex<Board>,
	/// Counts the works on the board.
	published: watch::Sender<u64>,
	extranonces: Mutex<HashSet<u16>>,
	/// Limits the number of hashes that are computed concurrently.
	hashes: Semaphore,
	places: Places<Evict>,
}

/// Serves workers until `works` ends.
pub async fn serve<M: Mine>(
	listener: std::net::TcpListener,
	mut works: impl Stream<Item = Arc<Work>> + Unpin,
	mine: M,
	config: Config,
	limits: Limits,
) {
	let connections = match Connections::new(listener, limits.connections, limits.of_an_address) {
		Ok(connections) => connections,
		Err(error) => {
			log::error!(target: LOG_TARGET, "cannot serve the Stratum port: {error}");
			return;
		}
	};
	let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
	let port = Arc::new(Port {
		mine,
		config,
		board: Mutex::default(),
		published: watch::Sender::new(0),
		extranonces: Mutex::default(),
		hashes: Semaphore::new(threads.div_ceil(2)),
		places: connections.places(),
		limits,
	});
	loop {
		tokio::select! {
			work = works.next() => match work {
				Some(work) => {
					port.board.lock().publish(work);
					port.published.send_modify(|published| *published += 1);
				}
				None => return,
			},
			connection = connections.next() => port.serve(connection),
		}
	}
}

/// Logs that a connection has ended, so that an operator sees which workers there are, and why one is refused.
fn log_end(worker: Option<&str>, peer: SocketAddr, ended: &Result<(), End>) {
	match (worker.map(named), ended) {
		(Some(worker), Ok(())) => {
			log::info!(target: LOG_TARGET, "{worker} at {peer} has left");
		}
		(Some(worker), Err(end)) => {
			log::info!(target: LOG_TARGET, "{worker} at {peer} is disconnected: {end}");
		}
		(None, Err(End::Session(Closing::Unauthorised))) => log::warn!(
			target: LOG_TARGET,
			"a worker at {peer} is refused: it does not give the secret of `--miners-secret-file`",
		),
		(None, Err(end)) => {
			log::debug!(target: LOG_TARGET, "closing the connection of {peer}: {end}");
		}
		(None, Ok(())) => {}
	}
}

/// Returns what to call a worker.
fn named(worker: &str) -> &str {
	match worker {
		"" => "a worker without a name",
		worker => worker,
	}
}

impl<M: Mine> Port<M> {
	/// Serves a new connection in the background.
	fn serve(self: &Arc<Self>, connection: Connection) {
		let Connection {
			stream,
			peer,
			place,
			evicted,
		} = connection;
		self.mine.set_connections(self.places.taken());
		let port = self.clone();
		tokio::spawn(async move {
			let extranonce = port.extranonce();
			let mut session = Session::new(extranonce, &port.config, Instant::now());
			let ended = tokio::select! {
				ended = port.converse(stream, peer, extranonce, &mut session, &place) => ended,
				evicted = evicted.wait() => Err(evicted.into()),
			};
			log_end(session.worker(), peer, &ended);
			drop(place);
			port.extranonces.lock().remove(&extranonce);
			port.mine.set_rate(extranonce, 0);
			port.mine.set_connections(port.places.taken());
		});
	}

	/// Returns an extranonce that no other connection has. There are more of them than connections.
	fn extranonce(&self) -> u16 {
		let mut taken = self.extranonces.lock();
		let mut extranonce = rand::random();
		while !taken.insert(extranonce) {
			extranonce = extranonce.wrapping_add(1);
		}
		extranonce
	}

	/// Serves a connection until it ends.
	async fn converse(
		&self,
		stream: TcpStream,
		peer: SocketAddr,
		extranonce: u16,
		session: &mut Session,
		place: &Place<Evict>,
	) -> Result<(), End> {
		// An answer is one segment, and must not wait for the acknowledgement of the last one.
		stream.set_nodelay(true)?;
		let (mut reader, mut writer) = stream.into_split();
		let mut published = self.published.subscribe();
		let (mut lines, mut buffer) = (Lines::default(), [0; READ_BYTES]);
		let mut deadline = Instant::now() + self.limits.login;
		let mut late = End::Idle;
		loop {
			tokio::select! {
				read = reader.read(&mut buffer) => {
					let count = read?;
					if count == 0 {
						return Ok(());
					}
					let was_partial = lines.is_partial();
					let complete = lines.push(&buffer[..count])?;
					let has_line = !complete.is_empty();
					for line in complete {
						let was_known = session.worker().is_some();
						let actions = session.line(&line, &mut self.board.lock(), Instant::now());
						// A worker that reads the answer to its login has settled.
						if let Some(worker) = session.worker() {
							place.used(Instant::now());
							if !was_known {
								log::info!(target: LOG_TARGET, "⛏️  {} at {peer} has logged in", named(worker));
							}
						}
						self.perform(session, extranonce, actions, &mut writer).await?;
					}
					if session.worker().is_none() {
						continue;
					}
					let now = Instant::now();
					place.used(now);
					(deadline, late) = match lines.is_partial() {
						true if was_partial && !has_line => (deadline, late),
						true => (now + self.limits.line, End::Slow),
						false => (now + self.limits.idle, End::Idle),
					};
				}
				changed = published.changed() => {
					if changed.is_err() {
						return Ok(());
					}
					let actions = session.work(&self.board.lock(), Instant::now());
					self.perform(session, extranonce, actions, &mut writer).await?;
				}
				() = sleep_until(deadline.into()) => return Err(late),
			}
		}
	}

	/// Carries out what the session asked for.
	async fn perform(
		&self,
		session: &mut Session,
		extranonce: u16,
		actions: Vec<Action>,
		writer: &mut OwnedWriteHalf,
	) -> Result<(), End> {
		let mut actions = VecDeque::from(actions);
		let (mut answer, mut closing) = (String::new(), None);
		while let Some(action) = actions.pop_front() {
			match action {
				Action::Send(line) => {
					answer.push_str(&line);
					answer.push('\n');
				}
				Action::Hash(share) => {
					let hashed = self.hash(&share).await;
					let more = session.hashed(share, hashed, &mut self.board.lock());
					more.into_iter()
						.rev()
						.for_each(|action| actions.push_front(action));
				}
				Action::Submit(share, hashed) => self.mine.submit(&share.work, share.nonce, hashed),
				Action::Count(Ok(())) => self.mine.count_share("accepted"),
				Action::Count(Err(refusal)) => self.mine.count_share(refusal.name()),
				Action::Rate(rate) => self.mine.set_rate(extranonce, rate),
				Action::Close(reason) => {
					closing = Some(reason);
					break;
				}
			}
		}
		if !answer.is_empty() {
			let sent = timeout(self.limits.line, writer.write_all(answer.as_bytes()));
			sent.await.map_err(|_| End::Slow)??;
		}
		closing.map_or(Ok(()), |reason| Err(reason.into()))
	}

	/// Computes a share's hash, which takes milliseconds, on another thread.
	async fn hash(&self, share: &Share) -> Option<Hashed> {
		let _turn = self.hashes.acquire().await.ok()?;
		let (mine, work, nonce) = (self.mine.clone(), share.work.clone(), share.nonce);
		let hashed = tokio::task::spawn_blocking(move || mine.hash(&work, nonce));
		hashed.await.ok().flatten()
	}
}
