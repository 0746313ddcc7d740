// SPDX-License-Identifier: Apache-2.0
//! Starts the node that all scenarios share, and makes accounts for each of them.

use crate::liar::draw;
use isthmus_sdk::{envelope::RecordContext, *};
use std::{
	net::TcpListener,
	path::PathBuf,
	process::{Child, ChildStdin, Command, Stdio},
	sync::LazyLock,
	time::{Duration, Instant},
};

/// How long a node may take to start.
const START: Duration = Duration::from_secs(300);
/// The funds that an account of a scenario gets. Alice, who gives them, has 1,000,000.
const FUNDS: Balance = 2_000 * UNIT;
/// Runs a node until stdin is closed, which happens when this process ends, and then removes its folder.
const UNTIL_CLOSED: &str = r#"
folder=$1; shift
"$@" 2>"$folder/log" >/dev/null </dev/null &
read -r _
kill -KILL $!; wait; rm -rf "$folder"
"#;

/// A development chain with one node. It mines when transactions are waiting, at most one block per second.
struct Node {
	url: String,
	log: PathBuf,
	_process: Child,
	_stdin: Option<ChildStdin>,
}

static NODE: LazyLock<Node> = LazyLock::new(Node::start);

impl Node {
	fn start() -> Self {
		let program = std::env::var("ISTHMUS_NODE").expect(
			"set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it): these tests need one",
		);
		let folder = tempfile::tempdir().unwrap().keep();
		let [rpc, peers] = free_ports();
		let mut process = Command::new("sh")
			.args(["-c", UNTIL_CLOSED, "sh"])
			.arg(&folder)
			.arg(program)
			.args(["--dev", "--no-prometheus", "--no-telemetry"])
			.args(["--state-pruning", "archive"])
			.args(["--rpc-port", &rpc.to_string(), "--port", &peers.to_string()])
			.arg("--base-path")
			.arg(&folder)
			.stdin(Stdio::piped())
			.stdout(Stdio::null())
			.stderr(Stdio::null())
			.spawn()
			.unwrap();
		Self {
			url: format!("ws://127.0.0.1:{rpc}"),
			log: folder.join("log"),
			_stdin: process.stdin.take(),
			_process: process,
		}
	}
}

/// Returns two free ports, which differ, of those that the system gives to no other connection before the node listens.
fn free_ports() -> [u16; 2] {
	let mut random = u64::from(std::process::id());
	let mut free = std::iter::repeat_with(|| 10_000 + draw(&mut random, 20_000) as u16)
		.filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
	let listeners = [(); 2].map(|()| free.next().unwrap());
	listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Returns the node's address.
pub(crate) fn url() -> &'static str {
	&NODE.url
}

/// Connects to the node, which the first scenario starts.
pub(crate) async fn connect() -> Client {
	let end = Instant::now() + START;
	loop {
		match Client::connect(url()).await {
			Ok(client) => return client,
			Err(error) => {
				let log = || std::fs::read_to_string(&NODE.log).unwrap_or_default();
				assert!(Instant::now() < end, "{error}\n{}", log());
				tokio::time::sleep(Duration::from_millis(50)).await;
			}
		}
	}
}

/// Returns the accounts with these derivations, which no other scenario uses, and funds them.
pub(crate) async fn accounts<const N: usize>(client: &Client, uris: [&str; N]) -> [Identity; N] {
	let identities = uris.map(|uri| Identity::development(uri).unwrap());
	let mut calls = Vec::new();
	for identity in &identities {
		calls.push(client.transfer(identity.id(), FUNDS).await.unwrap());
	}
	let alice = Account::from_uri("//Alice").unwrap();
	client.send_all(&alice, &calls).await.unwrap();
	identities
}

/// Registers a school, with dataset 0.
pub(crate) async fn register(client: &Client, school: &Identity) {
	let calls = [
		client
			.register(ProducerKind::School, "High School No. 1")
			.await
			.unwrap(),
		client.create_dataset("marks").await.unwrap(),
	];
	client.send_all(&school.account, &calls).await.unwrap();
}

/// Publishes the encryption key of a reader.
pub(crate) async fn publish(client: &Client, reader: &Identity) {
	let key = reader.encryption.fresh().unwrap().public_key();
	let publish = client.set_encryption_key(&key).await.unwrap();
	client.send(&reader.account, &publish).await.unwrap();
}

/// Returns a record's place in epoch 0.
pub(crate) fn place(name: &str, dataset: DatasetId, leaf: Leaf) -> Place {
	Place {
		key: record_key(name).unwrap(),
		dataset,
		epoch: 0,
		leaf,
	}
}

/// Returns what the chunks of an owner's record are bound to.
pub(crate) fn context(client: &Client, owner: &Identity, key: RecordKey) -> RecordContext {
	RecordContext {
		genesis: client.genesis(),
		owner: owner.id().0,
		key: key.0,
		version: 0,
	}
}

/// Returns a range of leaves of an epoch.
pub(crate) fn scope(dataset: DatasetId, epoch: Epoch, from: u64, to: u64) -> Scope {
	Scope {
		dataset,
		epoch,
		from,
		to,
	}
}

/// Stores a small value.
pub(crate) async fn store(client: &Client, owner: &Identity, place: Place, value: &[u8]) -> Stored {
	let mut source = std::io::Cursor::new(value);
	Upload::new(client, owner, place)
		.run(&mut source, value.len() as u64, &mut ())
		.await
		.unwrap()
}

/// Reads a record.
pub(crate) async fn read(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	key: RecordKey,
) -> Result<Vec<u8>, Error> {
	let reading = Reading::open(client, reader, owner, key).await?;
	let mut out = Vec::new();
	reading.run(&mut out, 0, &mut ()).await?;
	Ok(out)
}

/// Gives a reader a grant, without a request.
pub(crate) async fn give(
	client: &Client,
	owner: &Identity,
	reader: &AccountId,
	scope: Scope,
) -> GrantId {
	let best = client.best().await.unwrap();
	let terms = Terms {
		grantee: *reader,
		scope,
		expiry: sharing::expiry(&best, 5_000),
		until: None,
		request: None,
		condition: None,
	};
	let call = sharing::grant(client, &best, owner, &terms).await.unwrap();
	let included = client.send(&owner.account, &call).await.unwrap();
	let Event::Authorized { grant, .. } = included.events[0] else {
		panic!("{:?}", included.events);
	};
	grant
}

/// Asks for access to a range for 500 blocks.
pub(crate) async fn ask(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	scope: Scope,
	offer: Balance,
) -> RequestId {
	ask_for(client, reader, owner, scope, 500, offer).await
}

/// Asks for access to a range for `term` blocks.
pub(crate) async fn ask_for(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	scope: Scope,
	term: BlockNumber,
	offer: Balance,
) -> RequestId {
	let call = client
		.request_access(
			owner,
			scope,
			"a study",
			PurposeCode::Research,
			term,
			offer,
			false,
			&reader.encryption.fresh().unwrap().public_key(),
		)
		.await
		.unwrap();
	let included = client.send(&reader.account, &call).await.unwrap();
	included.events[0].request().unwrap()
}

/// Returns bytes that do not repeat.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
	(0..length as u64)
		.map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
		.collect()
}
