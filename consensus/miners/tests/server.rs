// SPDX-License-Identifier: Apache-2.0
//! Tests the Stratum port over real connections: what it does with lines that are malformed, huge or slow, and
//! with too many connections.

use futures::channel::mpsc;
use isthmus_miners::{
	stratum::{Config, Hashed, Limits, Mine},
	Boundary, Work, MAX_LINE,
};
use parking_lot::Mutex;
use serde_json::{json, Value};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
	io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
	net::TcpStream,
};

/// A node whose every hash seals a block.
#[derive(Clone, Default)]
struct Node {
	submitted: Arc<Mutex<Vec<u64>>>,
	shares: Arc<Mutex<Vec<&'static str>>>,
}

impl Mine for Node {
	fn hash(&self, _: &Work, _: u64) -> Option<Hashed> {
		Some(Hashed {
			mix_hash: [0; 32],
			result: [0; 32],
		})
	}

	fn submit(&self, _: &Work, nonce: u64, _: Hashed) {
		self.submitted.lock().push(nonce);
	}

	fn set_rate(&self, _: u16, _: u64) {}

	fn count_share(&self, outcome: &'static str) {
		self.shares.lock().push(outcome);
	}

	fn set_connections(&self, _: usize) {}
}

fn work(number: u64) -> Arc<Work> {
	Arc::new(Work {
		seal_hash: [number as u8; 32],
		seed: [0; 32],
		number,
		boundary: Boundary::MAX,
		difficulty: 1,
		parent: [0; 32],
	})
}

struct Port {
	address: SocketAddr,
	node: Node,
	works: mpsc::UnboundedSender<Arc<Work>>,
}

/// Serves a port with these limits, and work on block 1.
fn serve(limits: Limits) -> Port {
	let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
	listener.set_nonblocking(true).unwrap();
	let address = listener.local_addr().unwrap();
	let (works, receiver) = mpsc::unbounded();
	works.unbounded_send(work(1)).unwrap();
	let node = Node::default();
	let port =
		isthmus_miners::stratum::serve(listener, receiver, node.clone(), Config::default(), limits);
	tokio::spawn(port);
	Port {
		address,
		node,
		works,
	}
}

struct Worker(BufReader<TcpStream>);

impl Worker {
	async fn connect(port: &Port) -> Self {
		Self(BufReader::new(
			TcpStream::connect(port.address).await.unwrap(),
		))
	}

	async fn write(&mut self, bytes: &[u8]) {
		// The port may have closed the connection already.
		let _ = self.0.get_mut().write_all(bytes).await;
	}

	/// Returns the next line, or `None` if the port closed the connection.
	async fn read(&mut self) -> Option<Value> {
		let mut line = String::new();
		match self.0.read_line(&mut line).await {
			Ok(0) | Err(_) => None,
			Ok(_) => Some(serde_json::from_str(&line).unwrap()),
		}
	}

	async fn ask(&mut self, method: &str, params: Value) -> Option<Value> {
		let line = json!({ "id": 1, "method": method, "params": params });
		self.write(format!("{line}\n").as_bytes()).await;
		self.read().await
	}

	async fn log_in(port: &Port) -> Self {
		let mut worker = Self::connect(port).await;
		let answer = worker.ask("eth_submitLogin", json!(["rig"])).await;
		assert_eq!(answer.unwrap()["result"], true);
		worker
	}
}

#[tokio::test]
async fn a_worker_gets_work_and_its_seals_are_submitted() {
	let port = serve(Limits::default());
	let mut worker = Worker::log_in(&port).await;
	let package = worker.ask("eth_getWork", json!([])).await.unwrap();
	let hash = package["result"][0].clone();
	let zero = format!("0x{}", "00".repeat(32));
	let submit = json!(["0x0000000000000007", hash, zero]);
	assert_eq!(
		worker.ask("eth_submitWork", submit.clone()).await.unwrap()["result"],
		true
	);
	assert_eq!(
		worker.ask("eth_submitWork", submit).await.unwrap()["error"]["code"],
		22
	);
	assert_eq!(*port.node.submitted.lock(), [7]);
	assert_eq!(*port.node.shares.lock(), ["accepted", "duplicate"]);
	port.works.unbounded_send(work(2)).unwrap();
	let pushed = worker.read().await.unwrap();
	assert_eq!(
		(&pushed["id"], &pushed["result"][0]),
		(&json!(0), &json!(format!("0x{}", "02".repeat(32))))
	);
}

#[tokio::test]
async fn junk_and_lines_without_end_close_the_connection_and_only_that_one() {
	let port = serve(Limits::default());
	let mut honest = Worker::log_in(&port).await;
	for junk in [
		&b"GET / HTTP/1.1\r\n\r\n"[..],
		b"\xff\xfe\n",
		b"[[[[[[\n",
		&[b'x'; MAX_LINE + 1],
	] {
		let mut worker = Worker::connect(&port).await;
		worker.write(junk).await;
		assert_eq!(worker.read().await, None);
	}
	assert!(honest.ask("eth_getWork", json!([])).await.unwrap()["result"].is_array());
}

#[tokio::test]
async fn slow_workers_are_disconnected() {
	let long = Duration::from_secs(3600);
	// A worker that logs in does so long before.
	let short = Duration::from_millis(500);
	let limits = |login, line, idle| Limits {
		login,
		line,
		idle,
		..Limits::default()
	};
	// One that never logs in, even if it sends bytes all the time.
	let port = serve(limits(short, long, long));
	let mut worker = Worker::connect(&port).await;
	worker.write(b"{").await;
	assert_eq!(worker.read().await, None);
	// One that never ends its line.
	let port = serve(limits(long, short, long));
	let mut worker = Worker::log_in(&port).await;
	worker.write(b"{").await;
	assert_eq!(worker.read().await, None);
	// One that is silent. On a busy machine, it is disconnected before its login is answered.
	let port = serve(limits(long, long, short));
	let mut worker = Worker::connect(&port).await;
	if worker
		.ask("eth_submitLogin", json!(["rig"]))
		.await
		.is_some()
	{
		assert_eq!(worker.read().await, None);
	}
}

#[tokio::test]
async fn more_connections_than_an_address_may_have_are_closed() {
	let port = serve(Limits {
		of_an_address: 2,
		..Limits::default()
	});
	let mut first = Worker::log_in(&port).await;
	let second = Worker::log_in(&port).await;
	let mut third = Worker::connect(&port).await;
	assert_eq!(third.ask("eth_submitLogin", json!(["rig"])).await, None);
	assert!(first.ask("eth_getWork", json!([])).await.unwrap()["result"].is_array());
	// A place that is given back can be taken. The port notices the end of a connection a moment later.
	drop(second);
	loop {
		let mut fourth = Worker::connect(&port).await;
		if fourth
			.ask("eth_submitLogin", json!(["rig"]))
			.await
			.is_some()
		{
			break;
		}
		tokio::task::yield_now().await;
	}
}

#[tokio::test]
async fn an_answer_and_the_work_after_it_are_one_segment() {
	let port = serve(Limits::default());
	let mut stream = TcpStream::connect(port.address).await.unwrap();
	let lines = [
		json!({ "id": 1, "method": "mining.subscribe", "params": [] }),
		json!({ "id": 2, "method": "mining.authorize", "params": ["rig"] }),
	];
	let mut first = vec![0; 4096];
	stream
		.write_all(format!("{}\n", lines[0]).as_bytes())
		.await
		.unwrap();
	assert!(stream.read(&mut first).await.unwrap() > 0);
	stream
		.write_all(format!("{}\n", lines[1]).as_bytes())
		.await
		.unwrap();
	let count = stream.read(&mut first).await.unwrap();
	let text = std::str::from_utf8(&first[..count]).unwrap();
	assert_eq!(text.lines().count(), 3, "{text}");
	assert!(text.ends_with('\n'));
}
