// SPDX-License-Identifier: Apache-2.0
//! Tests sharing from end to end: a school stores a record, a company asks for access to it, and the school
//! authorises the company.

use crate::scenario::*;
use isthmus_sdk::*;

const MARKS: &[u8] = b"name,mark\nAda,97\n";

#[tokio::test]
async fn a_refusal_has_the_name_and_the_sentence_of_the_metadata() {
	let client = connect().await;
	let [stranger] = accounts(&client, ["//refusal//stranger"]).await;
	let create = client.create_dataset("marks").await.unwrap();
	let Err(Error::Refused(refusal)) = client.send(&stranger.account, &create).await else {
		panic!("it was not refused");
	};
	assert_eq!(refusal.error, PalletError::NotRegistered);
	assert!(
		refusal.docs.starts_with("Only a registered producer"),
		"{refusal}"
	);
}

/// Whatever an account's first transaction is, the error says what is missing, and not what the node's pool says.
#[tokio::test]
async fn an_account_without_funds_learns_what_is_missing() {
	let client = connect().await;
	let [stranger] = accounts(&client, ["//penniless//stranger"]).await;
	let key = stranger.encryption.fresh().unwrap().public_key();
	let penniless = Account::from_seed([7; 32]).unwrap();
	for call in [
		client.create_dataset("marks").await.unwrap(),
		client.register(ProducerKind::School, "Poor").await.unwrap(),
		client.set_encryption_key(&key).await.unwrap(),
	] {
		let refused = client.send(&penniless, &call).await.unwrap_err();
		assert!(
			matches!(refused, Error::Cost(CostError::NotEnoughFunds { needed, free: 0 }) if needed > 0),
			"{refused:?}"
		);
	}
}

#[tokio::test]
async fn a_producer_registers_and_creates_a_dataset() {
	let client = connect().await;
	let [school] = accounts(&client, ["//registering//school"]).await;
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
	let best = client.best().await.unwrap();
	let producer = best.producer(school.id()).await.unwrap().unwrap();
	assert_eq!(
		(producer.kind, producer.datasets),
		(ProducerKind::School, 1)
	);
}

#[tokio::test]
async fn a_record_is_stored_and_read_by_its_owner() {
	let client = connect().await;
	let [school] = accounts(&client, ["//storing//school"]).await;
	register(&client, &school).await;
	let best = client.best().await.unwrap();
	assert_eq!(best.free_leaf(school.id(), 0, 0).await.unwrap(), 0);
	let place = place("2025-03", 0, 0);
	let stored = store(&client, &school, place, MARKS).await;
	assert_eq!((stored.transactions, stored.resumed), (1, false));
	let read = read(&client, &school, school.id(), place.key).await;
	assert_eq!(read.unwrap(), MARKS);
	let best = client.best().await.unwrap();
	assert_eq!(best.free_leaf(school.id(), 0, 0).await.unwrap(), 1);
}

#[tokio::test]
async fn a_record_that_is_stored_already_is_compared() {
	let client = connect().await;
	let [school] = accounts(&client, ["//storing-again//school"]).await;
	register(&client, &school).await;
	let place = place("2025-03", 0, 0);
	store(&client, &school, place, MARKS).await;
	let ensure = async |value: &[u8]| {
		let mut source = std::io::Cursor::new(value);
		Upload::new(&client, &school, place)
			.ensure(&mut source, value.len() as u64, &mut ())
			.await
	};
	let stored = ensure(MARKS).await.unwrap();
	assert!(matches!(stored.done, Done::Before(_)), "{stored:?}");
	assert_eq!((stored.place, stored.transactions), (place, 0));
	for other in [b"name,mark\nAda,98\n", &MARKS[1..]] {
		let refused = ensure(other).await.unwrap_err();
		assert!(matches!(
			refused,
			Error::Upload(UploadError::AlreadyStored(key)) if key == place.key
		));
	}
}

#[tokio::test]
async fn a_request_is_authorised_and_its_payment_is_held() {
	let client = connect().await;
	let [school, company] = accounts(&client, ["//sharing//school", "//sharing//company"]).await;
	register(&client, &school).await;
	publish(&client, &company).await;
	let place = place("2025-03", 0, 0);
	store(&client, &school, place, MARKS).await;
	let refused = read(&client, &company, school.id(), place.key).await;
	assert!(matches!(
		refused,
		Err(Error::Query(QueryRefusal::NotAuthorised))
	));

	let asked = ask(&client, &company, school.id(), scope(0, 0, 0, 10), UNIT).await;
	let best = client.best().await.unwrap();
	let requests = every(|after| best.requests_to(school.id(), after))
		.await
		.unwrap();
	let [RequestEntry {
		id,
		request,
		verdict: Verdict::NoPolicy,
	}] = &requests[..]
	else {
		panic!("{requests:?}");
	};
	assert_eq!((*id, request.offer), (asked, UNIT));
	assert_eq!(request.purpose.to_string(), "a study");
	assert_eq!(request.code, PurposeCode::Research);
	assert_eq!(best.request(*id).await.unwrap().as_ref(), Some(request));
	let mine = every(|after| best.requests_from(company.id(), after))
		.await
		.unwrap();
	assert_eq!(mine, requests);

	let before = best.funds(school.id()).await.unwrap();
	let call = authorize(&client, &school, *id, request, Depth::Final)
		.await
		.unwrap();
	let included = client.send(&school.account, &call).await.unwrap();
	let [Event::Authorized {
		grant,
		paid: UNIT,
		request: Some(_),
		..
	}] = included.events[..]
	else {
		panic!("{:?}", included.events);
	};
	// A reader who waits for it learns which grant it is, also when it has come already.
	let answer = isthmus_sdk::dispute::answered(&client, &company, &best, asked).await;
	assert_eq!(answer.unwrap().map(|entry| entry.id), Some(grant));
	// It can still be disputed. There is nothing to show, as the keys are right.
	let best = client.best().await.unwrap();
	let after = best.funds(school.id()).await.unwrap();
	assert!(after.free + after.held <= before.free + before.held);
	let payment = best.payment(grant).await.unwrap().unwrap();
	assert_eq!(payment.until, included.number() + DISPUTE_WINDOW);
	let nothing = dispute(&client, &company, grant, None).await.unwrap_err();
	assert!(
		matches!(nothing, Error::NothingWrong { records: 1, .. }),
		"{nothing}"
	);
	let checked = isthmus_sdk::dispute::check(&client, &company, grant).await;
	assert!(matches!(
		checked.unwrap(),
		Checked::Opens { records: 1, .. }
	));
	let open = isthmus_sdk::dispute::disputable(&client, &company).await;
	let open: Vec<_> = open
		.unwrap()
		.iter()
		.map(|(entry, until)| (entry.id, *until))
		.collect();
	assert_eq!(open, [(grant, payment.until)]);
	let others = dispute(&client, &school, grant, None).await.unwrap_err();
	assert!(matches!(others, Error::NotGiven { .. }), "{others}");
	let read = read(&client, &company, school.id(), place.key).await;
	assert_eq!(read.unwrap(), MARKS);
}

#[tokio::test]
async fn strangers_and_thieves_read_nothing() {
	let client = connect().await;
	let [school, company] = accounts(&client, ["//thieves//school", "//thieves//company"]).await;
	register(&client, &school).await;
	publish(&client, &company).await;
	let best = client.best().await.unwrap();
	let key = best.encryption_key(company.id()).await.unwrap().unwrap();
	assert!(company.encryption.pair_of(&key).is_some());
	let place = place("2025-03", 0, 0);
	store(&client, &school, place, MARKS).await;
	give(&client, &school, company.id(), scope(0, 0, 0, 10)).await;
	let stranger = Identity::development("//thieves//stranger").unwrap();
	let refused = read(&client, &stranger, school.id(), place.key).await;
	assert!(matches!(
		refused,
		Err(Error::Query(QueryRefusal::NotAuthorised))
	));
	// The grant's keys are of no use without the key pair that they are sealed to.
	let thief = Identity {
		encryption: stranger.encryption,
		..company
	};
	let refused = read(&client, &thief, school.id(), place.key).await;
	assert!(matches!(refused, Err(Error::Grant(_))), "{refused:?}");
}
