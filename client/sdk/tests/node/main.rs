//! The crate against a real node: `ISTHMUS_NODE` is the path of its program, which `scripts/test` sets.
//! One node for all, as starting one takes a while.

mod large_values;
mod revoking;
mod serving;

use isthmus_sdk::{
	serve::{serve, Limits, Memory},
	trace::{trace, Subject},
	*,
};
use std::{
	io::Cursor,
	net::TcpListener,
	process::{Child, Command, Stdio},
	time::{Duration, Instant},
};

/// How long a node may take until it answers.
const START: Duration = Duration::from_secs(120);

/// A development chain of one node, which ends with this value.
struct Node {
	process: Child,
	url: String,
	_folder: tempfile::TempDir,
}

impl Node {
	async fn start() -> (Self, Client) {
		let program = std::env::var("ISTHMUS_NODE").expect(
			"set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it): these tests need one",
		);
		let folder = tempfile::tempdir().unwrap();
		let (rpc, peers) = (free_port(), free_port());
		let log = std::fs::File::create(folder.path().join("log")).unwrap();
		let process = Command::new(program)
			.args([
				"--dev",
				"--no-prometheus",
				"--no-telemetry",
				"--state-pruning",
				"archive",
			])
			.args(["--rpc-port", &rpc.to_string(), "--port", &peers.to_string()])
			.arg("--base-path")
			.arg(folder.path())
			.stdout(Stdio::null())
			.stderr(log)
			.spawn()
			.unwrap();
		let url = format!("ws://127.0.0.1:{rpc}");
		let mut node = Self {
			process,
			url,
			_folder: folder,
		};
		let end = Instant::now() + START;
		loop {
			match Client::connect(&node.url).await {
				Ok(client) => return (node, client),
				Err(error) => {
					let ended = node.process.try_wait().unwrap();
					assert!(ended.is_none() && Instant::now() < end, "{error}");
					tokio::time::sleep(Duration::from_millis(50)).await;
				}
			}
		}
	}
}

impl Drop for Node {
	fn drop(&mut self) {
		let _ = self.process.kill();
		let _ = self.process.wait();
	}
}

fn free_port() -> u16 {
	let listener = TcpListener::bind("127.0.0.1:0").unwrap();
	listener.local_addr().unwrap().port()
}

/// Bytes that do not repeat.
fn value(length: usize) -> Vec<u8> {
	(0..length as u64)
		.map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
		.collect()
}

async fn read(
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything() {
	let (node, client) = Node::start().await;
	let school = Identity::development("//Bob").unwrap();
	let company = Identity::development("//Charlie").unwrap();
	refusals_before_joining(&client, &school).await;
	story(&client, &school, &company).await;
	many_in_flight(&client, &school).await;
	two_programs(&node, &client, &school).await;
	serving::policies(&client, &school, &company).await;
	revoking::revoking(&client, &school, &company).await;
	serving::serving_within_limits(&client, &school, &company).await;
	revoking::revoking_among_others(&client, &school).await;
	revoking::lost_key(&client, &school).await;
	large_values::large_values(&client, &school, &company).await;
	history(&client, &school, &company).await;
}

/// A refusal has the name and the sentence that the chain's metadata has.
async fn refusals_before_joining(client: &Client, school: &Identity) {
	let create = client.create_dataset("marks").await.unwrap();
	let Err(Error::Refused(refusal)) = client.send(&school.account, &create).await else {
		panic!("it was not refused");
	};
	let expected = Refusal {
		pallet: "DataSharing".into(),
		name: "NotRegistered".into(),
		docs: "Only a registered producer may do this: call `register` first.".into(),
	};
	assert_eq!(refusal, expected);
	let nobody = Account::from_seed([7; 32]).unwrap();
	let refused = client.send(&nobody, &create).await;
	let rejection = refused.unwrap_err().rejection();
	assert_eq!(rejection, Some(Rejection::CannotPay));
}

/// The worked example of the crate's documentation.
async fn story(client: &Client, school: &Identity, company: &Identity) {
	let register = client
		.register(ProducerKind::School, "High School No. 1")
		.await
		.unwrap();
	let included = client.send(&school.account, &register).await.unwrap();
	assert_eq!(
		included.events,
		[Event::Registered {
			producer: *school.id(),
			kind: ProducerKind::School,
			name: Text(b"High School No. 1".to_vec()),
		}]
	);
	let create = client.create_dataset("marks").await.unwrap();
	client.send(&school.account, &create).await.unwrap();
	let set_key = client
		.set_encryption_key(&company.encryption[0].public_key())
		.await
		.unwrap();
	client.send(&company.account, &set_key).await.unwrap();

	let best = client.best().await.unwrap();
	let producer = best.producer(school.id()).await.unwrap().unwrap();
	assert_eq!(
		(producer.kind, producer.datasets),
		(ProducerKind::School, 1)
	);
	assert_eq!(
		best.encryption_key(company.id()).await.unwrap(),
		Some(company.encryption[0].public_key())
	);
	let leaf = best.free_leaf(school.id(), 0, 0).await.unwrap();
	assert_eq!(leaf, 0);
	let place = Place {
		key: record_key("2025-03").unwrap(),
		dataset: 0,
		epoch: 0,
		leaf,
	};
	let stored = b"name,mark\nAda,97\n";
	let upload = Upload::new(client, school, place);
	let done = upload
		.run(&mut Cursor::new(stored), stored.len() as u64, &mut ())
		.await
		.unwrap();
	assert_eq!((done.transactions, done.resumed), (1, false));

	let refused = read(client, company, school.id(), place.key).await;
	assert!(matches!(
		refused,
		Err(Error::Query(QueryRefusal::NotAuthorised))
	));
	let scope = Scope {
		dataset: 0,
		epoch: 0,
		from: 0,
		to: 10,
	};
	let ask = client
		.request_access(school.id(), scope, "a study", 1000, UNIT)
		.await
		.unwrap();
	client.send(&company.account, &ask).await.unwrap();
	let best = client.best().await.unwrap();
	let requests = every(|after| best.requests_to(school.id(), after))
		.await
		.unwrap();
	assert_eq!(requests.len(), 1);
	let request = &requests[0];
	assert_eq!(request.request.purpose.to_string(), "a study");
	assert_eq!(
		(request.request.offer, request.verdict),
		(UNIT, Verdict::NoPolicy)
	);
	assert_eq!(
		best.request(request.id).await.unwrap().as_ref(),
		Some(&request.request)
	);
	let mine = every(|after| best.requests_from(company.id(), after))
		.await
		.unwrap();
	assert_eq!(mine, requests);
	let before = best.funds(school.id()).await.unwrap();
	let call = authorize(client, &best, school, request.id, &request.request)
		.await
		.unwrap();
	let included = client.send(&school.account, &call).await.unwrap();
	assert!(matches!(
		included.events[..],
		[Event::Authorized {
			paid: UNIT,
			request: Some(_),
			..
		}]
	));
	let after = client
		.best()
		.await
		.unwrap()
		.funds(school.id())
		.await
		.unwrap();
	assert!(after.free + after.held > before.free + before.held);

	assert_eq!(
		read(client, company, school.id(), place.key).await.unwrap(),
		stored
	);
	assert_eq!(
		read(client, school, school.id(), place.key).await.unwrap(),
		stored
	);
	let stranger = Identity::development("//Dave").unwrap();
	let refused = read(client, &stranger, school.id(), place.key).await;
	assert!(matches!(
		refused,
		Err(Error::Query(QueryRefusal::NotAuthorised))
	));
	// The grant's keys are of no use to who has another key pair.
	let thief = Identity {
		encryption: stranger.encryption.clone(),
		..company.clone()
	};
	let refused = read(client, &thief, school.id(), place.key).await;
	assert!(matches!(refused, Err(Error::Grant(_))), "{refused:?}");
}

/// Transactions are sent without waiting, and keep their order.
async fn many_in_flight(client: &Client, school: &Identity) {
	let mut pending = Vec::new();
	for leaf in 1..=30u32 {
		let place = Place {
			key: record_key(&format!("record {leaf}")).unwrap(),
			dataset: 0,
			epoch: 0,
			leaf,
		};
		let upload = Upload::new(client, school, place);
		pending.push(upload.submit_whole(&leaf.to_be_bytes()).await.unwrap());
	}
	let mut places = Vec::new();
	for mut pending in pending {
		let included = pending.included().await.unwrap();
		places.push((included.number(), included.index));
	}
	assert!(places.is_sorted());
	let best = client.best().await.unwrap();
	let records = every(|after| best.records(school.id(), after))
		.await
		.unwrap();
	assert_eq!(records.len(), 31);
	assert_eq!(best.free_leaf(school.id(), 0, 0).await.unwrap(), 31);
	let key = record_key("record 30").unwrap();
	assert_eq!(
		read(client, school, school.id(), key).await.unwrap(),
		30u32.to_be_bytes()
	);
	let again = Upload::new(
		client,
		school,
		Place {
			key,
			dataset: 0,
			epoch: 0,
			leaf: 40,
		},
	);
	let refused = again
		.submit_whole(b"x")
		.await
		.unwrap()
		.included()
		.await
		.unwrap_err();
	assert!(refused.is_refusal("KeyTaken"), "{refused}");
}

/// Two programs of one account do not knock each other's transactions out.
async fn two_programs(node: &Node, client: &Client, school: &Identity) {
	let other = Client::connect(&node.url).await.unwrap();
	let many = |client: Client, who: Identity, calls: usize| async move {
		let policy = Policy {
			price: 0,
			longest_range: 1,
			longest_term: 1,
			consumers: ConsumerKinds::ALL,
		};
		let set = client.set_policy(0, policy).await.unwrap();
		let call = client.batch(&vec![set; calls]).await.unwrap();
		let mut pending = Vec::new();
		for _ in 0..12 {
			pending.push(client.submit(&who.account, &call).await.unwrap());
		}
		for mut pending in pending {
			pending.included().await.unwrap();
		}
	};
	// The pool prefers the short ones.
	let long = tokio::spawn(many(client.clone(), school.clone(), 9));
	let short = tokio::spawn(many(other, school.clone(), 1));
	long.await.unwrap();
	short.await.unwrap();
	let clear = client.clear_policy(0).await.unwrap();
	client.send(&school.account, &clear).await.unwrap();
}

async fn new_dataset(client: &Client, school: &Identity, name: &str) -> DatasetId {
	let create = client.create_dataset(name).await.unwrap();
	let included = client.send(&school.account, &create).await.unwrap();
	let Event::DatasetCreated { dataset, .. } = included.events[0] else {
		panic!("{:?}", included.events);
	};
	dataset
}

/// Ends an upload in the middle: the task that runs it is dropped at this progress.
struct StopAt(u64);

impl Progress for StopAt {
	fn at(&mut self, stage: Stage, done: u64, _: u64) {
		assert!(stage != Stage::Sending || done < self.0, "stopped");
	}
}

/// The chain tells the whole history of a record.
async fn history(client: &Client, school: &Identity, company: &Identity) {
	let best = client.best().await.unwrap().block().number;
	let subject = Subject::Record {
		owner: *school.id(),
		key: record_key("2025-03").unwrap(),
	};
	let history = trace(client, &subject, 1, best, &mut ()).await.unwrap();
	assert!(history.is_sorted_by_key(|happening| happening.block.number));
	let events: Vec<&Event> = history.iter().map(|happening| &happening.event).collect();
	assert!(
		matches!(events[0], Event::Stored { leaf: 0, .. }),
		"{events:?}"
	);
	assert!(matches!(
		events[1],
		Event::AccessRequested { consumer, offer: UNIT, .. } if consumer == company.id()
	));
	assert!(matches!(
		events[2],
		Event::Authorized { grantee, paid: UNIT, .. } if grantee == company.id()
	));
	// The three that were refused by the policy had it in their range.
	let rejected = events
		.iter()
		.filter(|event| matches!(event, Event::RequestRejected { .. }));
	assert_eq!(rejected.count(), 3);
	// Begun later, what came before is learned from the state: here, what was asked, and the place.
	let dataset = Subject::Dataset {
		owner: *school.id(),
		dataset: 0,
	};
	for subject in [subject, dataset] {
		let all = trace(client, &subject, 1, best, &mut ()).await.unwrap();
		let from = all
			.iter()
			.find(|happening| matches!(happening.event, Event::RequestRejected { .. }))
			.unwrap()
			.block
			.number;
		let later = trace(client, &subject, from, best, &mut ()).await.unwrap();
		let expected: Vec<_> = all
			.into_iter()
			.filter(|happening| happening.block.number >= from)
			.collect();
		assert_eq!(later, expected);
	}
}
