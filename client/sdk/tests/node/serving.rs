// SPDX-License-Identifier: Apache-2.0
//! Tests policies, and how `serve` applies them.

use crate::{liar::Liar, scenario::*};
use isthmus_light::storage;
use isthmus_sdk::{
	serve::{serve, serve_until, Limits, Look, Memory, Served, Watch},
	sharing::check_final,
	*,
};
use tokio::sync::oneshot;

/// Sets a policy for a school's dataset 0.
pub(crate) async fn set_policy(client: &Client, school: &Identity, price: Balance) {
	let policy = Policy {
		price,
		firm_price: None,
		longest_range: 10,
		longest_term: 500,
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	};
	let set = client.set_policy(0, policy, None).await.unwrap();
	client.send(&school.account, &set).await.unwrap();
}

#[tokio::test]
async fn a_policy_is_honoured_automatically_and_within_its_bounds() {
	let client = connect().await;
	let uris = ["//policies//school", "//policies//company"];
	let [school, company] = accounts(&client, uris).await;
	register(&client, &school).await;
	publish(&client, &company).await;
	set_policy(&client, &school, UNIT).await;
	let ask = async |from, to, term, offer| {
		ask_for(
			&client,
			&company,
			school.id(),
			scope(0, 0, from, to),
			term,
			offer,
		)
		.await
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
	// When called again with the same memory, it grants no more.
	for _ in 0..2 {
		serve(&client, &school, &limits, &mut memory, |served: Served| {
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
}

/// Notes what is granted, and asks to stop as soon as an answer is in flight.
struct Stopping {
	stop: Option<oneshot::Sender<()>>,
	granted: Vec<RequestId>,
}

impl Watch for &mut Stopping {
	fn served(&mut self, served: Served) {
		served.outcome.unwrap();
		self.granted.push(served.request);
	}

	fn looked(&mut self, look: &Look) {
		if let Some(stop) = self.stop.take_if(|_| look.in_flight > 0) {
			stop.send(()).unwrap();
		}
	}
}

#[tokio::test]
async fn who_stops_waits_for_the_answers_in_flight() {
	let client = connect().await;
	let [school, company] = accounts(&client, ["//stops//school", "//stops//company"]).await;
	register(&client, &school).await;
	publish(&client, &company).await;
	set_policy(&client, &school, UNIT).await;
	let scope = scope(0, 0, 0, 9);
	let request = ask_for(&client, &company, school.id(), scope, 500, UNIT).await;
	let (stop, stopped) = oneshot::channel();
	let mut watch = Stopping {
		stop: Some(stop),
		granted: Vec::new(),
	};
	let stopped = async { stopped.await.unwrap() };
	let (limits, mut memory) = (Limits::default(), Memory::default());
	serve_until(stopped, &client, &school, &limits, &mut memory, &mut watch)
		.await
		.unwrap();
	assert_eq!(watch.granted, [request]);
	assert_eq!(memory.granted(), 1);
	// Nothing is in flight: it stops at once.
	let now = std::future::ready(());
	serve_until(now, &client, &school, &limits, &mut memory, &mut watch)
		.await
		.unwrap();
}

/// Runs `serve` until it has reported `count` requests.
pub(crate) async fn reports(
	client: &Client,
	school: &Identity,
	limits: &Limits,
	count: usize,
) -> Vec<Served> {
	let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
	let mut memory = Memory::default();
	let serving = serve(client, school, limits, &mut memory, |served: Served| {
		told.send(served).unwrap();
	});
	let collect = async {
		let mut reports = Vec::new();
		while reports.len() < count {
			reports.push(outcomes.recv().await.unwrap());
		}
		reports
	};
	let mut reports = tokio::select! {
		ended = serving => panic!("{ended:?}"),
		reports = collect => reports,
	};
	reports.sort_by_key(|served| served.request);
	reports
}

/// By default, requests for an ended epoch and from a revoked reader are left to the owner.
#[tokio::test]
async fn ended_epochs_and_revoked_readers_are_served_only_on_request() {
	let client = connect().await;
	let uris = ["//limits//school", "//limits//revoked", "//limits//other"];
	let [school, revoked, other] = accounts(&client, uris).await;
	register(&client, &school).await;
	publish(&client, &revoked).await;
	publish(&client, &other).await;
	let grant = give(&client, &school, revoked.id(), scope(0, 0, 0, 5)).await;
	revoke(&client, &school, grant).await.unwrap();
	set_policy(&client, &school, 0).await;
	let mut asked = Vec::new();
	for (reader, epoch) in [(&revoked, 1), (&other, 0), (&other, 1)] {
		asked.push(ask(&client, reader, school.id(), scope(0, epoch, 0, 5), 0).await);
	}
	let limits = Limits {
		datasets: Some(vec![0]),
		..Limits::default()
	};
	let three = reports(&client, &school, &limits, 3).await;
	let withheld = |at: usize| matches!(three[at].outcome, Err(Error::Withheld(_)));
	assert!(withheld(0) && withheld(1), "{three:?}");
	assert_eq!(three[2].request, asked[2]);
	assert!(three[2].outcome.is_ok(), "{three:?}");

	let limits = Limits {
		grants: Some(2),
		earlier_epochs: true,
		revoked_readers: true,
		..limits
	};
	let mut granted = Vec::new();
	serve(
		&client,
		&school,
		&limits,
		&mut Memory::default(),
		|served: Served| {
			served.outcome.unwrap();
			granted.push(served.request);
		},
	)
	.await
	.unwrap();
	granted.sort();
	assert_eq!(granted, asked[..2]);
}

/// Anyone may grant something to a reader, or issue a credential about it. How much of that there is does not matter to an
/// answer: none of it is read.
#[tokio::test]
async fn what_others_gave_to_a_reader_is_not_read() {
	let client = connect().await;
	let uris = [
		"//crowd//school",
		"//crowd//reader",
		"//crowd//revoked",
		"//crowd//stranger",
	];
	let [school, reader, revoked, stranger] = accounts(&client, uris).await;
	for owner in [&school, &stranger] {
		register(&client, owner).await;
	}
	for account in [&reader, &revoked] {
		publish(&client, account).await;
		give(&client, &stranger, account.id(), scope(0, 0, 0, 5)).await;
	}
	let before = give(&client, &school, revoked.id(), scope(0, 0, 0, 5)).await;
	revoke(&client, &school, before).await.unwrap();
	let banned = hex::encode(school.id().0);
	let condition = format!("not credential(0x{banned}, banned) and not granted(0x{banned}, 0)");
	let policy = Policy {
		price: 0,
		firm_price: None,
		longest_range: 10,
		longest_term: 500,
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	};
	let condition = condition.parse().unwrap();
	let set = client.set_policy(0, policy, Some(condition)).await;
	client.send(&school.account, &set.unwrap()).await.unwrap();
	let asked = [
		ask(&client, &reader, school.id(), scope(0, 1, 0, 5), 0).await,
		ask(&client, &revoked, school.id(), scope(0, 1, 0, 5), 0).await,
	];

	let liar = Liar::start(url()).await;
	liar.withhold(&["DataSharingApi_grants_to"]);
	for account in [&reader, &revoked] {
		let (grants, credentials) = (
			hex::encode(storage::grants_to(&account.id().0)),
			hex::encode(storage::credentials_of(&account.id().0)),
		);
		liar.withhold(&[&grants]);
		liar.withhold(&["state_getKeysPaged", &credentials]);
	}
	let trust = Trust {
		genesis: Some(client.genesis()),
		..Trust::default()
	};
	let timeout = std::time::Duration::from_secs(60);
	let told = Client::connect_with(&[liar.url()], timeout, trust).await;
	let told = told.unwrap();
	let two = reports(&told, &school, &Limits::default(), 2).await;
	assert_eq!([two[0].request, two[1].request], asked);
	// The liar keeps what is sent to it.
	assert!(
		matches!(two[0].outcome, Err(Error::NotAccepted(_))),
		"{two:?}"
	);
	assert!(!liar.heard().transactions.is_empty());
	assert!(matches!(two[1].outcome, Err(Error::Withheld(_))), "{two:?}");
	// What is asked for later is final by now.
	let best = told.best().await.unwrap();
	for (account, expected) in [(&reader, None), (&revoked, Some(before))] {
		for dataset in [None, Some(0)] {
			let on = (school.id(), dataset);
			let shown = told.grants_from(&best, on, account.id()).await.unwrap();
			let proven = told.proven().await.unwrap();
			let proven = proven.grants_from(on, account.id(), None).await.unwrap();
			for grants in [shown, proven] {
				let grants = grants.iter().map(|entry| (entry.id, entry.grant.state));
				let expected = expected.map(|id| (id, GrantState::Revoked));
				assert_eq!(Vec::from_iter(grants), Vec::from_iter(expected));
			}
		}
	}
}

/// An answer that would come too late or cannot be paid for is not sent: it would reveal its keys.
#[tokio::test]
async fn an_answer_that_would_fail_is_not_sent() {
	let client = connect().await;
	let uris = ["//answers//school", "//answers//company"];
	let [school, company] = accounts(&client, uris).await;
	register(&client, &school).await;
	publish(&client, &company).await;
	let asked = ask(&client, &company, school.id(), scope(0, 0, 0, 5), 0).await;
	let best = client.best().await.unwrap();
	let request = best.request(asked).await.unwrap().unwrap();
	// Another request under the same number, as on another branch of the chain.
	let other = Request {
		offer: UNIT,
		..request.clone()
	};
	let refused = authorize(&client, &school, asked, &other, Depth::Final).await;
	assert!(
		matches!(refused, Err(Error::RequestGone(id)) if id == asked),
		"{refused:?}"
	);
	// Nor is an answer sealed to a key that is not the request's.
	let thief = Identity::development("//answers//thief").unwrap();
	let other = Request {
		key: thief.encryption.fresh().unwrap().public_key().to_bytes(),
		..request.clone()
	};
	let refused = authorize(&client, &school, asked, &other, Depth::Final).await;
	assert!(
		matches!(refused, Err(Error::RequestGone(id)) if id == asked),
		"{refused:?}"
	);
	let poor = Identity::development("//answers//poor").unwrap();
	let refused = authorize(&client, &poor, asked, &request, Depth::Final).await;
	assert!(
		matches!(refused, Err(Error::InsufficientFunds { .. })),
		"{refused:?}"
	);
	// The request is final now, and another one with its number is not.
	let finalized = client.finalized().await.unwrap();
	assert!(finalized.request(asked).await.unwrap().is_some());
	check_final(&client, asked, &request).await.unwrap();
	for (id, seen) in [(asked, &other), (RequestId::MAX, &request)] {
		let refused = check_final(&client, id, seen).await;
		assert!(
			matches!(refused, Err(Error::RequestNotFinal(not)) if not == id),
			"{refused:?}"
		);
	}
	let now = client.best().await.unwrap().block().number;
	let late = Request {
		valid_until: now + sharing::LEAST_TIME - 1,
		..request.clone()
	};
	let refused = authorize(&client, &school, asked, &late, Depth::Final).await;
	assert!(matches!(refused, Err(Error::TooLate { .. })), "{refused:?}");
	// Other tests make blocks meanwhile. If these leave too few for an answer, it is made for a later end.
	let answered = async || {
		let end = client.best().await?.block().number + 12;
		let short = Request {
			valid_until: end,
			..request.clone()
		};
		let call = authorize(&client, &school, asked, &short, Depth::Final).await?;
		let pending = client.submit(&school.account, &call).await?;
		Ok::<_, Error>((pending.last(), end))
	};
	let mut sent = answered().await;
	for _ in 0..20 {
		if !matches!(sent, Err(Error::TooLate { .. })) {
			break;
		}
		sent = answered().await;
	}
	let (last, end) = sent.unwrap();
	assert!(last < end, "{last}");
}
