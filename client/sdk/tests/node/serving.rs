//! Policies, and what `serve` does with them.

use super::*;

/// A policy is honoured by itself, within its bounds.
pub(super) async fn policies(client: &Client, school: &Identity, company: &Identity) {
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

/// Requests for an epoch that is over, and of a reader who was put out, are left alone by default.
pub(super) async fn serving_within_limits(client: &Client, school: &Identity, company: &Identity) {
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
