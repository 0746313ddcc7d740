// SPDX-License-Identifier: Apache-2.0
//! Tests that no lie of a node makes a reader accept what was not stored, or an owner seal to another key or store at a
//! place that is not free. Each lie is one false answer, drawn by its seed; see [`Liar`].

use crate::{
	liar::{draw, Heard, Liar},
	scenario::*,
};
use codec::Decode;
use envelope::decrypt_value;
use futures::{future::join_all, FutureExt};
use isthmus_sdk::{
	serve::{serve, Limits, Memory, Served},
	*,
};
use std::{
	collections::BTreeMap, future::Future, io::Write, panic::AssertUnwindSafe, time::Duration,
};
use tokio::time::{sleep, timeout};

const TRUTH: &[u8] = b"name,mark\nAda,97\n";
const LIE: &[u8] = b"name,mark\nAda,12\n";
/// How many lies are told over one connection. A false answer at its start may matter later.
const LIES_PER_CONNECTION: u64 = 8;
/// How long to let an operation go on after a lie, which may make it wait for a block that never comes. A client reports
/// such a wait, and a node can make one at any time by silence.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for a lie to be told.
const UNTOLD: Duration = Duration::from_secs(10);
/// How long to wait for `serve` to answer something, after a lie and without one.
const SERVING: Duration = Duration::from_millis(500);
const SERVING_TRULY: Duration = Duration::from_secs(300);
/// How many liars lie at the same time, each to clients of accounts of their own: most of the time, a client waits.
const SESSIONS: u64 = 8;

/// What is on the chain, and who reads and owns it.
struct Scene {
	honest: Client,
	liar: Liar,
	school: Identity,
	company: Identity,
	stranger: Identity,
	request: RequestId,
	digest: H256,
	/// What an honest node shows of the lists.
	lists: String,
	place: Place,
}

/// What a program does with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
	Fetch,
	FetchUnauthorised,
	List,
	Authorise,
	GiveTo,
	Store,
	Serve,
}

const DEEDS: [Deed; 7] = [
	Deed::Fetch,
	Deed::FetchUnauthorised,
	Deed::List,
	Deed::Authorise,
	Deed::GiveTo,
	Deed::Store,
	Deed::Serve,
];

impl Scene {
	/// Makes a scene with accounts of its own.
	async fn new(number: u64) -> Self {
		let honest = connect().await;
		let uris = ["school", "company", "stranger"].map(|who| format!("//lies//{number}//{who}"));
		let [school, company, stranger] =
			accounts(&honest, uris.each_ref().map(|uri| &**uri)).await;
		register(&honest, &school).await;
		publish(&honest, &company).await;
		publish(&honest, &stranger).await;
		store(&honest, &school, place("lies", 0, 1), TRUTH).await;
		store(&honest, &school, place("others", 0, 2), b"of others").await;
		give(&honest, &school, company.id(), scope(0, 0, 0, 2)).await;
		let policy = Policy {
			price: 0,
			firm_price: None,
			longest_range: 10,
			longest_term: 1_000,
			consumers: ConsumerKinds::ALL,
			purposes: PurposeCodes::ALL,
		};
		let set = honest.set_policy(0, policy, None).await.unwrap();
		honest.send(&school.account, &set).await.unwrap();
		let request = ask(&honest, &company, school.id(), scope(0, 0, 0, 4), 0).await;
		// All of this is finalized when a later transaction is.
		let later = honest.transfer(school.id(), 1).await.unwrap();
		let mut later = honest.submit(&stranger.account, &later).await.unwrap();
		later.finalized().await.unwrap();
		let best = honest.best().await.unwrap();
		let entry = best.request(request).await.unwrap().unwrap();
		let (key, forged) = (entry.key.clone(), fresh_key(&stranger));
		let liar = Liar::start(url()).await;
		liar.may_swap(&key, &forged);
		liar.may_swap(&registered(&honest, &company).await, &forged);
		liar.may_swap(&company.id().0, &stranger.id().0);
		let mut scene = Self {
			honest,
			liar,
			school,
			company,
			stranger,
			request,
			digest: sharing::digest(&entry),
			lists: String::new(),
			place: place("new", 0, 0),
		};
		scene.swap_record().await;
		scene.lists = scene.list(&scene.honest).await.unwrap();
		scene
	}

	/// Connects to the liar, with the chain's first block known.
	async fn connect(&self) -> Result<Client, Error> {
		let trust = Trust {
			genesis: Some(self.honest.genesis()),
			..Trust::default()
		};
		Client::connect_with(&[self.liar.url()], Duration::from_secs(60), trust).await
	}

	/// Lets the liar put the record of another leaf in the place of the true one.
	async fn swap_record(&self) {
		let best = self.honest.best().await.unwrap();
		let hash = async |name: &str| {
			let key = record_key(name).unwrap();
			let record = best.record(self.school.id(), key).await.unwrap().unwrap();
			let types::Payload::Value { content_hash, .. } = record.payload else {
				panic!("{record:?}");
			};
			content_hash.0
		};
		self.liar
			.may_swap(&hash("lies").await, &hash("others").await);
	}

	/// Does something with a client of the liar. Returns what came of it.
	async fn act(&self, client: &Client, deed: Deed) -> Result<String, Error> {
		let school = &self.school;
		match deed {
			Deed::Fetch => {
				let value = read(client, &self.company, school.id(), record_key("lies")?).await?;
				assert_eq!(value, TRUTH, "false data was accepted");
				Ok("the record".into())
			}
			Deed::FetchUnauthorised => {
				let key = record_key("others")?;
				let read = read(client, &self.company, school.id(), key).await;
				let Err(Error::Query(refusal)) = read else {
					return Err(read.expect_err("a record was read without a grant"));
				};
				assert_eq!(refusal, QueryRefusal::OutOfRange);
				Ok("refused".into())
			}
			Deed::List => {
				let lists = self.list(client).await?;
				assert_eq!(lists, self.lists, "false lists were accepted");
				Ok("the lists".into())
			}
			Deed::Authorise => {
				let best = client.best().await?;
				let request = best.request(self.request).await?;
				let request = request.ok_or(Error::RequestGone(self.request))?;
				let call = authorize(client, school, self.request, &request, Depth::Final).await?;
				client.submit(&school.account, &call).await?;
				Ok("sent".into())
			}
			Deed::GiveTo => {
				let best = client.best().await?;
				let terms = Terms {
					grantee: *self.company.id(),
					scope: scope(0, 0, 0, 3),
					expiry: sharing::expiry(&best, 100),
					until: None,
					request: None,
					condition: None,
				};
				let call = sharing::grant(client, &best, school, &terms).await?;
				client.submit(&school.account, &call).await?;
				Ok("sent".into())
			}
			Deed::Store => {
				let upload = Upload::new(client, school, self.place);
				let upload = upload.at_free_leaf().in_current_epoch();
				upload.submit_whole(LIE).await?;
				Ok("sent".into())
			}
			Deed::Serve => self.serve(client, SERVING).await,
		}
	}

	/// Returns what is proven of the lists that decide something.
	async fn list(&self, client: &Client) -> Result<String, Error> {
		let (school, company) = (self.school.id(), self.company.id());
		let proven = client.proven().await?;
		let grants = proven.grants_to(company, None).await?;
		let requests = proven.requests_to(school).await?;
		let dataset = proven.dataset(school, 0).await?;
		let key = proven.encryption_key(company).await?;
		let key = key.map(|key| key.to_bytes());
		let given = proven.grants_of(school, None).await?;
		Ok(format!(
			"{grants:?} {requests:?} {dataset:?} {key:?} {given:?}"
		))
	}

	/// Serves until something is reported, or for a while.
	async fn serve(&self, client: &Client, patience: Duration) -> Result<String, Error> {
		let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
		let (limits, mut memory) = (Limits::default(), Memory::default());
		let serving = serve(
			client,
			&self.school,
			&limits,
			&mut memory,
			|served: Served| {
				let _ = told.send(served.outcome.map(|_| ()));
			},
		);
		tokio::select! {
			ended = serving => Err(ended.expect_err("it serves for ever")),
			outcome = outcomes.recv() => {
				outcome.expect("it is serving")?;
				Ok("sent".into())
			}
			() = sleep(patience) => Ok("nothing to serve".into()),
		}
	}

	/// Checks what a client showed the liar.
	fn check(&self, deed: Deed, heard: &Heard) {
		for transaction in &heard.transactions {
			match deed {
				Deed::Store => self.check_stored(transaction),
				Deed::Authorise | Deed::GiveTo | Deed::Serve => {
					self.check_sealed(deed, transaction)
				}
				_ => panic!("a reader sent a transaction"),
			}
		}
	}

	/// Checks that a transaction gives the company what was meant for it, and no one else.
	fn check_sealed(&self, deed: Deed, transaction: &[u8]) {
		type Fields = (
			Scope,
			BlockNumber,
			Option<Seconds>,
			Vec<u8>,
			Option<Answered>,
			Option<Condition>,
		);
		let fields: Fields = after(transaction, &self.company.id().0);
		let (found, expiry, until, sealed_keys, answered, condition) = fields;
		let (leaves, request) = match deed {
			Deed::GiveTo => (3, None),
			_ => {
				let (id, digest) = (self.request, self.digest);
				(4, Some(Answered { id, digest }))
			}
		};
		assert_eq!(found, scope(0, 0, 0, leaves));
		assert_eq!((until, &answered, condition), (None, &request, None));
		let grant = OpeningGrant {
			grant: 0,
			scope: found,
			expiry,
			until,
			sealed_keys,
		};
		let open = |reader| sharing::open(&self.honest, reader, self.school.id(), &grant);
		open(&self.company).expect("the grant is sealed to another key");
		assert!(open(&self.stranger).is_err());
	}

	/// Checks that a transaction stores a value at a free place of the current epoch, under that place's key.
	fn check_stored(&self, transaction: &[u8]) {
		let key = self.place.key;
		let fields: (DatasetId, Epoch, Leaf, Vec<u8>) = after(transaction, &key.0);
		let (dataset, epoch, leaf, bytes) = fields;
		assert_eq!((dataset, epoch), (0, 0));
		assert!(leaf != 1 && leaf != 2, "leaf {leaf} is taken");
		let id = sharing::epoch_id(&self.honest, self.school.id(), dataset, epoch);
		let leaf = self.school.master.epoch_root(&id).leaf_key(leaf);
		let context = context(&self.honest, &self.school, key);
		assert_eq!(decrypt_value(&leaf, &context, &bytes).unwrap(), LIE);
	}
}

/// Decodes the fields of a call that come after one that is known.
fn after<Fields: Decode>(transaction: &[u8], field: &[u8]) -> Fields {
	let at = transaction
		.windows(field.len())
		.position(|part| part == field);
	let at = at.expect("the transaction is another one") + field.len();
	let mut rest = &transaction[at..];
	let fields = Fields::decode(&mut rest).unwrap();
	assert!(rest.is_empty());
	fields
}

fn fresh_key(identity: &Identity) -> Vec<u8> {
	identity.encryption.fresh().unwrap().public_key().to_bytes()
}

async fn registered(client: &Client, account: &Identity) -> Vec<u8> {
	let best = client.best().await.unwrap();
	let key = best.encryption_key(account.id()).await.unwrap();
	key.unwrap().to_bytes()
}

/// Waits for an operation, but not for long after the lie is told.
async fn patiently<T>(liar: &Liar, acting: impl Future<Output = T>) -> Option<T> {
	let patience = async {
		// An earlier lie over the same connection may be why this one is never told.
		let _ = timeout(UNTOLD, liar.told()).await;
		sleep(PATIENCE).await;
	};
	tokio::select! {
		outcome = acting => Some(outcome),
		() = patience => None,
	}
}

/// Counts what came of the lies.
#[derive(Debug, Default)]
struct Tally {
	honest: u64,
	untold: u64,
	waits: u64,
	errors: BTreeMap<String, u64>,
	/// How many lies about each deed had no effect, and how many ended in an error.
	by_deed: BTreeMap<Deed, (u64, u64)>,
}

impl Tally {
	/// Returns how many lies were drawn.
	fn drawn(&self) -> u64 {
		self.told() + self.untold
	}

	/// Returns how many lies were told.
	fn told(&self) -> u64 {
		self.honest + self.waits + self.errors.values().sum::<u64>()
	}

	/// Adds what came of other lies.
	fn add(&mut self, other: Self) {
		self.honest += other.honest;
		self.untold += other.untold;
		self.waits += other.waits;
		for (name, count) in other.errors {
			*self.errors.entry(name).or_default() += count;
		}
		for (deed, (without_effect, failed)) in other.by_deed {
			let counts = self.by_deed.entry(deed).or_default();
			counts.0 += without_effect;
			counts.1 += failed;
		}
	}

	/// Counts the outcome of a lie, and checks that it is one that a lie may have. Returns whether the client that was
	/// lied to may be used again.
	fn count(&mut self, deed: Deed, heard: &Heard, outcome: Option<Result<String, Error>>) -> bool {
		let (without_effect, failed) = self.by_deed.entry(deed).or_default();
		match outcome {
			_ if heard.lie.is_none() => self.untold += 1,
			// The liar keeps what is sent to it.
			Some(Ok(_) | Err(Error::NotAccepted(_))) => {
				self.honest += 1;
				*without_effect += 1;
			}
			Some(Err(Error::Query(refusal))) => panic!("a false refusal was accepted: {refusal}"),
			Some(Err(error)) => {
				*failed += 1;
				let name = format!("{error:?}");
				let name = name.split([' ', '(', '{']).next().unwrap_or_default();
				*self.errors.entry(name.to_owned()).or_default() += 1;
				return false;
			}
			None => {
				self.waits += 1;
				return false;
			}
		}
		true
	}
}

/// A liar's scene, and how many answers the liar gives to each deed: until the client is connected, and in all.
struct Session {
	scene: Scene,
	answers: Vec<(u64, u64)>,
}

impl Session {
	/// Does everything once with an honest node, and checks that it works.
	async fn new(number: u64) -> Self {
		let scene = Scene::new(number).await;
		let mut answers = Vec::new();
		for deed in DEEDS {
			scene.liar.lie(0, u64::MAX);
			let client = scene.connect().await.unwrap();
			let connecting = scene.liar.heard().answers;
			// A busy node takes its time, and what is half sent would be neither.
			let outcome = match deed {
				Deed::Serve => scene.serve(&client, SERVING_TRULY).await,
				_ => scene.act(&client, deed).await,
			};
			let heard = scene.liar.heard();
			scene.check(deed, &heard);
			let is_sent = !heard.transactions.is_empty();
			let is_kept = matches!(outcome, Err(Error::NotAccepted(_)));
			assert_eq!(
				(outcome.is_ok() || is_kept, is_sent),
				(true, is_kept),
				"{deed:?}: {outcome:?}"
			);
			if matches!(
				deed,
				Deed::Authorise | Deed::GiveTo | Deed::Store | Deed::Serve
			) {
				assert!(is_sent, "{deed:?} sends nothing to an honest node");
			}
			answers.push((connecting, heard.answers));
		}
		Self { scene, answers }
	}

	/// Draws lies until this number is told, and counts what came of each. Some lies would be about a later question than the
	/// client asks, and are not told.
	async fn lie(&self, number: u64, lies: u64) -> Tally {
		let (mut tally, mut client) = (Tally::default(), None);
		for seed in (number..).step_by(SESSIONS as usize) {
			if tally.told() == lies {
				break;
			}
			// Otherwise a client that asks nothing any more would go on for ever.
			assert!(tally.untold <= lies, "{tally:?}");
			let known = client
				.take()
				.filter(|_| tally.drawn() % LIES_PER_CONNECTION != 0);
			client = self.one(seed, known, &mut tally).await;
		}
		tally
	}

	/// Tells a lie, if the client comes to it. Returns the client, if it may be used again.
	async fn one(&self, seed: u64, known: Option<Client>, tally: &mut Tally) -> Option<Client> {
		let scene = &self.scene;
		let mut random = seed;
		let at = draw(&mut random, DEEDS.len() as u64) as usize;
		let (deed, (connecting, all)) = (DEEDS[at], self.answers[at]);
		let room = match known {
			Some(_) => all - connecting,
			None => all,
		};
		scene.liar.lie(random, draw(&mut random, room));
		let mut used = None;
		let acting = async {
			let connected = match known {
				Some(client) => client,
				None => scene.connect().await?,
			};
			scene.act(used.insert(connected), deed).await
		};
		let acted = AssertUnwindSafe(patiently(&scene.liar, acting))
			.catch_unwind()
			.await;
		let heard = scene.liar.heard();
		scene.liar.tell_truth();
		let judged = AssertUnwindSafe(|| {
			let outcome = acted.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
			scene.check(deed, &heard);
			tally.count(deed, &heard, outcome)
		});
		match std::panic::catch_unwind(judged) {
			Ok(may_go_on) => used.filter(|_| may_go_on),
			Err(panic) => {
				eprintln!("lie {seed}, {deed:?}: {:?}", heard.lie);
				std::panic::resume_unwind(panic);
			}
		}
	}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_lies_are_never_accepted() {
	let lies: u64 = match std::env::var("ISTHMUS_LONG").is_ok_and(|long| long == "1") {
		true => 10_000,
		false => 500,
	};
	let sessions = (0..SESSIONS).map(|number| async move {
		let session = Session::new(number).await;
		session.lie(number, lies.div_ceil(SESSIONS)).await
	});
	let mut tally = Tally::default();
	for one in join_all(sessions).await {
		tally.add(one);
	}
	// Also where the harness keeps what tests print.
	writeln!(std::io::stderr(), "{} lies told: {tally:?}", tally.told()).unwrap();
	assert!(tally.told() >= lies, "{tally:?}");
	// Some lies are about what a client has asked before, or does not need.
	assert!(tally.honest < tally.told() * 9 / 10, "{tally:?}");
	for deed in DEEDS {
		let counts = tally.by_deed.get(&deed);
		let is_tested =
			counts.is_some_and(|(without_effect, failed)| *without_effect > 0 && *failed > 0);
		assert!(is_tested, "{deed:?}: {tally:?}");
	}
}
