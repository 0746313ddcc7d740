//! The crate against a real node: `ISTHMUS_NODE` is the path of its program, which `scripts/test` sets.
//! One node for all, as starting one takes a while.

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
	policies(&client, &school, &company).await;
	revoking(&client, &school, &company).await;
	serving_within_limits(&client, &school, &company).await;
	revoking_among_others(&client, &school).await;
	lost_key(&client, &school).await;
	large_values(&client, &school, &company).await;
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

/// Values in chunks: stored, interrupted, gone on with, changed in between, read, and read in part.
async fn large_values(client: &Client, school: &Identity, company: &Identity) {
	let dataset = new_dataset(client, school, "of large values").await;
	// More chunks than are in flight when it is stopped.
	let value = value(24_000_000);
	let length = value.len() as u64;
	let place = Place {
		key: record_key("large").unwrap(),
		dataset,
		epoch: 0,
		leaf: 5_000,
	};
	let (to, who, bytes) = (client.clone(), school.clone(), value.clone());
	let stopped = tokio::spawn(async move {
		let upload = Upload::new(&to, &who, place);
		upload
			.run(&mut Cursor::new(bytes), length, &mut StopAt(2_000_000))
			.await
	});
	assert!(stopped.await.unwrap_err().is_panic());
	let refused = read(client, school, school.id(), place.key).await;
	assert!(
		matches!(refused, Err(Error::Query(QueryRefusal::Incomplete))),
		"{refused:?}"
	);

	let mut changed = value.clone();
	changed[8_000_000] ^= 1;
	let upload = Upload::new(client, school, place);
	let refused = upload.run(&mut Cursor::new(changed), length, &mut ()).await;
	assert!(
		matches!(refused, Err(Error::ValueChanged { chunk: 7 })),
		"{refused:?}"
	);
	let upload = Upload::new(client, school, place);
	let refused = upload
		.run(&mut Cursor::new(&value[1..]), length - 1, &mut ())
		.await;
	assert!(matches!(refused, Err(Error::LengthChanged { expected }) if expected == length));

	// Its epoch ends: it is gone on with only if that is wanted.
	let start = client.start_epoch(dataset).await.unwrap();
	client.send(&school.account, &start).await.unwrap();
	let upload = Upload::new(client, school, place);
	let refused = upload.run(&mut Cursor::new(&value), length, &mut ()).await;
	assert!(
		matches!(
			refused,
			Err(Error::EpochOver {
				epoch: 0,
				now: 1,
				..
			})
		),
		"{refused:?}"
	);

	// Another leaf makes no difference: it is gone on with where it was begun.
	let upload = Upload::new(
		client,
		school,
		Place {
			leaf: 6_000,
			..place
		},
	);
	let done = upload
		.in_ended_epoch()
		.run(&mut Cursor::new(&value), length, &mut ())
		.await
		.unwrap();
	assert!(done.resumed);
	assert_eq!(done.place, place);
	assert!(done.transactions < 22, "{}", done.transactions);
	let upload = Upload::new(client, school, place);
	let refused = upload.run(&mut Cursor::new(&value), length, &mut ()).await;
	assert!(matches!(refused, Err(Error::AlreadyStored(key)) if key == place.key));

	let best = client.best().await.unwrap();
	let terms = Terms {
		grantee: *company.id(),
		scope: Scope {
			dataset,
			epoch: 0,
			from: 5_000,
			to: 5_001,
		},
		expiry: sharing::expiry(&best, 1_000),
		until: None,
		request: None,
	};
	let call = sharing::grant(client, &best, school, &terms).await.unwrap();
	client.send(&school.account, &call).await.unwrap();
	assert!(read(client, company, school.id(), place.key).await.unwrap() == value);
	let reading = Reading::open(client, company, school.id(), place.key)
		.await
		.unwrap();
	let part = &value[..3_000_000];
	let (chunks, bytes) = reading.check(&mut &part[..], &mut ()).await.unwrap();
	assert_eq!((chunks, bytes), (2, 2 * 1022 * 1024));
	let mut rest = Vec::new();
	reading.run(&mut rest, chunks, &mut ()).await.unwrap();
	assert!(rest == value[bytes as usize..]);
	assert!(reading.is(&mut &value[..]).await.unwrap());
	assert!(!reading.is(&mut &value[1..]).await.unwrap());
}

/// A policy is honoured by itself, within its bounds.
async fn policies(client: &Client, school: &Identity, company: &Identity) {
	let policy = Policy {
		price: UNIT,
		longest_range: 10,
		longest_term: 500,
		consumers: ConsumerKinds::ALL,
	};
	let set = client.set_policy(0, policy).await.unwrap();
	client.send(&school.account, &set).await.unwrap();
	let ask = |from: u64, to: u64, term, offer| async move {
		let scope = Scope {
			dataset: 0,
			epoch: 0,
			from,
			to,
		};
		let call = client
			.request_access(school.id(), scope, "p", term, offer)
			.await
			.unwrap();
		let included = client.send(&company.account, &call).await.unwrap();
		included.events[0].request().unwrap()
	};
	let too_cheap = ask(0, 10, 500, UNIT - 1).await;
	let too_wide = ask(0, 11, 500, UNIT).await;
	let too_long = ask(0, 9, 501, UNIT).await;
	let good = [ask(20, 30, 500, UNIT).await, ask(21, 30, 500, UNIT).await];
	let limits = Limits {
		grants: Some(2),
		..Limits::default()
	};
	let mut granted = Vec::new();
	let mut memory = Memory::default();
	// Called again it goes by what it remembers, and grants no more.
	for _ in 0..2 {
		serve(client, school, &limits, &mut memory, |served| {
			served.outcome.unwrap();
			granted.push(served.request);
		})
		.await
		.unwrap();
	}
	assert_eq!(memory.granted(), 2);
	granted.sort();
	assert_eq!(granted, good);
	let best = client.best().await.unwrap();
	let mut left = every(|after| best.requests_to(school.id(), after))
		.await
		.unwrap();
	left.sort_by_key(|entry| entry.id);
	let left: Vec<_> = left.iter().map(|entry| (entry.id, entry.verdict)).collect();
	assert_eq!(
		left,
		[
			(too_cheap, Verdict::OfferTooLow),
			(too_wide, Verdict::RangeTooLong),
			(too_long, Verdict::TermTooLong),
		]
	);
	for (request, _) in left {
		let call = client
			.reject_request(request, "not by the policy")
			.await
			.unwrap();
		client.send(&school.account, &call).await.unwrap();
	}
}

/// Who is revoked reads no more; the others read on, also what comes later.
async fn revoking(client: &Client, school: &Identity, company: &Identity) {
	let other = Identity::development("//Dave").unwrap();
	let set_key = client
		.set_encryption_key(&other.encryption[0].public_key())
		.await
		.unwrap();
	client.send(&other.account, &set_key).await.unwrap();
	let create = client.create_dataset("more marks").await.unwrap();
	client.send(&school.account, &create).await.unwrap();
	let mut grants = Vec::new();
	for reader in [company, &other] {
		let best = client.best().await.unwrap();
		let terms = Terms {
			grantee: *reader.id(),
			scope: Scope {
				dataset: 1,
				epoch: 0,
				from: 0,
				to: 1 << 32,
			},
			expiry: sharing::expiry(&best, 1_000),
			until: None,
			request: None,
		};
		let call = sharing::grant(client, &best, school, &terms).await.unwrap();
		let included = client.send(&school.account, &call).await.unwrap();
		let Event::Authorized { grant, .. } = included.events[0] else {
			panic!("{:?}", included.events);
		};
		grants.push(grant);
	}
	let revocation = revoke(client, school, grants[0]).await.unwrap();
	let renewal = revocation.renewal.unwrap();
	assert_eq!((renewal.epoch, renewal.renewed.len()), (1, 1));
	assert_eq!(renewal.renewed[0].1.grantee, *other.id());
	assert!(renewal.skipped.is_empty() && renewal.ended.is_none());
	let best = client.best().await.unwrap();
	assert_eq!(
		best.dataset(school.id(), 1).await.unwrap().unwrap().epoch,
		1
	);
	let place = Place {
		key: record_key("later").unwrap(),
		dataset: 1,
		epoch: 1,
		leaf: 0,
	};
	let upload = Upload::new(client, school, place);
	upload
		.run(&mut Cursor::new(b"later"), 5, &mut ())
		.await
		.unwrap();
	assert_eq!(
		read(client, &other, school.id(), place.key).await.unwrap(),
		b"later"
	);
	let refused = read(client, company, school.id(), place.key).await;
	assert!(
		matches!(refused, Err(Error::Query(QueryRefusal::NotAuthorised))),
		"{refused:?}"
	);
	// A key pair that was replaced still opens what was sealed to it.
	let rotated = Identity {
		encryption: [
			Identity::development("//Eve").unwrap().encryption,
			other.encryption.clone(),
		]
		.concat(),
		..other.clone()
	};
	let set_key = client
		.set_encryption_key(&rotated.encryption[0].public_key())
		.await
		.unwrap();
	client.send(&rotated.account, &set_key).await.unwrap();
	assert_eq!(
		read(client, &rotated, school.id(), place.key)
			.await
			.unwrap(),
		b"later"
	);
}

/// Requests for an epoch that is over, and of a reader who was put out, are left alone by default.
async fn serving_within_limits(client: &Client, school: &Identity, company: &Identity) {
	let policy = Policy {
		price: 0,
		longest_range: 10,
		longest_term: 500,
		consumers: ConsumerKinds::ALL,
	};
	let set = client.set_policy(1, policy).await.unwrap();
	client.send(&school.account, &set).await.unwrap();
	let other = Identity::development("//Dave").unwrap();
	let mut asked = Vec::new();
	for (reader, epoch) in [(company, 1), (&other, 0), (&other, 1)] {
		let scope = Scope {
			dataset: 1,
			epoch,
			from: 0,
			to: 5,
		};
		let call = client
			.request_access(school.id(), scope, "p", 500, 0)
			.await
			.unwrap();
		let included = client.send(&reader.account, &call).await.unwrap();
		asked.push(included.events[0].request().unwrap());
	}
	let limits = Limits {
		datasets: Some(vec![1]),
		..Limits::default()
	};
	let mut memory = Memory::default();
	let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
	let serving = serve(client, school, &limits, &mut memory, |served| {
		told.send(served).unwrap();
	});
	let three = async {
		let mut three = Vec::new();
		while three.len() < 3 {
			three.push(outcomes.recv().await.unwrap());
		}
		three
	};
	let mut three = tokio::select! {
		ended = serving => panic!("{ended:?}"),
		three = three => three,
	};
	three.sort_by_key(|served| served.request);
	let withheld = |at: usize| matches!(three[at].outcome, Err(Error::Withheld(_)));
	assert!(withheld(0) && withheld(1), "{three:?}");
	assert_eq!(three[2].request, asked[2]);
	assert!(three[2].outcome.is_ok(), "{three:?}");

	// What would come too late, or cannot be paid for, is not sent.
	let best = client.best().await.unwrap();
	let now = best.block().number;
	let request = best.request(asked[0]).await.unwrap().unwrap();
	let late = Request {
		valid_until: now + sharing::LEAST_TIME - 1,
		..request.clone()
	};
	let refused = authorize(client, &best, school, asked[0], &late).await;
	assert!(matches!(refused, Err(Error::TooLate { .. })), "{refused:?}");
	let poor = Identity::development("//Nobody").unwrap();
	let refused = authorize(client, &best, &poor, asked[0], &request).await;
	assert!(matches!(refused, Err(Error::TooPoor { .. })), "{refused:?}");
	let short = Request {
		valid_until: now + 12,
		..request.clone()
	};
	let call = authorize(client, &best, school, asked[0], &short)
		.await
		.unwrap();
	let pending = client.submit(&school.account, &call).await.unwrap();
	assert!(pending.last() < now + 12, "{}", pending.last());

	// The owner may say so. The first of them was answered above.
	let limits = Limits {
		grants: Some(1),
		earlier_epochs: true,
		..limits
	};
	upload::settled(client, school.id()).await.unwrap();
	let mut granted = Vec::new();
	serve(client, school, &limits, &mut Memory::default(), |served| {
		served.outcome.unwrap();
		granted.push(served.request);
	})
	.await
	.unwrap();
	assert_eq!(granted, [asked[1]]);
}

/// A reader who lost a key reads by what was sealed to its next one, whichever grant the chain names.
async fn lost_key(client: &Client, school: &Identity) {
	let dataset = new_dataset(client, school, "of lost keys").await;
	let place = Place {
		key: record_key("lost").unwrap(),
		dataset,
		epoch: 0,
		leaf: 0,
	};
	let upload = Upload::new(client, school, place);
	upload
		.run(&mut Cursor::new(b"x"), 1, &mut ())
		.await
		.unwrap();
	let reader = Identity::development("//Eve").unwrap();
	let other = Identity::development("//Ferdie").unwrap();
	// The middle one is for the key that the reader has now, the first and last are not.
	for key in [&other, &reader, &other] {
		let public = key.encryption[0].public_key();
		let best = client.best().await.unwrap();
		let terms = Terms {
			grantee: *reader.id(),
			scope: Scope {
				dataset,
				epoch: 0,
				from: 0,
				to: 4,
			},
			expiry: sharing::expiry(&best, 1_000),
			until: None,
			request: None,
		};
		let set_key = client.set_encryption_key(&public).await.unwrap();
		client.send(&reader.account, &set_key).await.unwrap();
		let sealed = sharing::seal(client, school, &terms, &public).unwrap();
		let call = client.add_authorize(&terms, &sealed).await.unwrap();
		client.send(&school.account, &call).await.unwrap();
	}
	assert_eq!(
		read(client, &reader, school.id(), place.key).await.unwrap(),
		b"x"
	);
}

/// Gives a reader leaves 0 to `to` of the school's dataset 2, in its current epoch.
async fn give(client: &Client, school: &Identity, reader: &AccountId, to: u64) -> GrantId {
	let best = client.best().await.unwrap();
	let dataset = best.dataset(school.id(), 2).await.unwrap().unwrap();
	let terms = Terms {
		grantee: *reader,
		scope: Scope {
			dataset: 2,
			epoch: dataset.epoch,
			from: 0,
			to,
		},
		expiry: sharing::expiry(&best, 5_000),
		until: None,
		request: None,
	};
	let call = sharing::grant(client, &best, school, &terms).await.unwrap();
	let included = client.send(&school.account, &call).await.unwrap();
	let Event::Authorized { grant, .. } = included.events[0] else {
		panic!("{:?}", included.events);
	};
	grant
}

/// Neither an old epoch, nor a reader without a key, nor further grants of the reader who is put out
/// are in a revocation's way.
async fn revoking_among_others(client: &Client, school: &Identity) {
	let create = client.create_dataset("yet more marks").await.unwrap();
	client.send(&school.account, &create).await.unwrap();
	let (mut readers, mut grants) = (Vec::new(), Vec::new());
	for name in ["//Alice", "//Charlie", "//Dave", "//Eve"] {
		let reader = Identity::development(name).unwrap();
		let key = reader.encryption[0].public_key();
		let set_key = client.set_encryption_key(&key).await.unwrap();
		client.send(&reader.account, &set_key).await.unwrap();
		grants.push(give(client, school, reader.id(), 1 << 32).await);
		readers.push(reader);
	}
	let [alice, charlie, dave, eve] = &readers[..] else {
		panic!("four readers");
	};
	let second = give(client, school, alice.id(), 7).await;
	client
		.send(&eve.account, &client.remove_encryption_key().await.unwrap())
		.await
		.unwrap();
	let given = |renewal: &sharing::Renewal| -> Vec<AccountId> {
		let mut readers: Vec<_> = renewal.renewed.iter().map(|(_, to)| to.grantee).collect();
		readers.sort_by_key(|reader| reader.0);
		readers
	};
	let sorted = |readers: &[&Identity]| -> Vec<AccountId> {
		let mut readers: Vec<_> = readers.iter().map(|reader| *reader.id()).collect();
		readers.sort_by_key(|reader| reader.0);
		readers
	};

	let revocation = revoke(client, school, grants[0]).await.unwrap();
	assert!(revocation.included.is_some());
	// Alice's other grant stays good, for the epoch that ended alone.
	assert_eq!(revocation.left, [second]);
	let renewal = revocation.renewal.unwrap();
	assert_eq!(renewal.epoch, 1);
	assert_eq!(given(&renewal), sorted(&[charlie, dave]));
	let [(skipped, Error::Unknown(_))] = &renewal.skipped[..] else {
		panic!("{:?}", renewal.skipped);
	};
	assert_eq!(skipped.grantee, *eve.id());
	assert!(renewal.ended.is_none());

	// Again: who was skipped gets its grant now, and nobody a second one.
	let key = eve.encryption[0].public_key();
	let set_key = client.set_encryption_key(&key).await.unwrap();
	client.send(&eve.account, &set_key).await.unwrap();
	let again = revoke(client, school, grants[0]).await.unwrap();
	assert!(again.included.is_none());
	assert_eq!(given(&again.renewal.unwrap()), sorted(&[eve]));

	// Charlie's grant of the epoch that ended: nothing begins, nothing is given.
	let old = revoke(client, school, grants[1]).await.unwrap();
	assert!(old.included.is_some() && old.renewal.is_none());
	assert_eq!((old.left.len(), old.overtaken), (1, false));
	// Nor a second time: it is not this revocation that began the epoch.
	let ended = revoke(client, school, grants[1]).await.unwrap_err();
	assert!(ended.is_refusal("GrantEnded"), "{ended}");
	let best = client.best().await.unwrap();
	let dataset = best.dataset(school.id(), 2).await.unwrap().unwrap();
	assert_eq!(dataset.epoch, 1);
	let revocation = revoke(client, school, old.left[0]).await.unwrap();
	let renewal = revocation.renewal.unwrap();
	assert_eq!(renewal.epoch, 2);
	assert_eq!(given(&renewal), sorted(&[dave, eve]));
	let ended = revoke(client, school, grants[0]).await.unwrap_err();
	assert!(ended.is_refusal("GrantEnded"), "{ended}");

	// A call of several that is refused leaves the others, and says why.
	let calls = [
		client.revoke(u64::MAX).await.unwrap(),
		client.create_dataset("of a batch").await.unwrap(),
	];
	let batch = client.batch_each(&calls).await.unwrap();
	let included = client.send(&school.account, &batch).await.unwrap();
	assert_eq!(included.refused[0].name, "UnknownGrant");
	assert!(matches!(included.events[0], Event::DatasetCreated { .. }));
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
