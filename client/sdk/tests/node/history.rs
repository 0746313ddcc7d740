// SPDX-License-Identifier: Apache-2.0
//! Tests the history of a record and of a dataset.

use crate::scenario::*;
use isthmus_sdk::{
	trace::{trace, Subject},
	*,
};

#[tokio::test]
async fn the_chain_has_the_whole_history_of_a_record() {
	let client = connect().await;
	let [school, company] = accounts(&client, ["//history//school", "//history//company"]).await;
	register(&client, &school).await;
	publish(&client, &company).await;
	let first = client.best().await.unwrap().block().number;
	store(&client, &school, place("2025-03", 0, 3), b"x").await;
	let asked = ask(&client, &company, school.id(), scope(0, 0, 0, 10), UNIT).await;
	let best = client.best().await.unwrap();
	let request = best.request(asked).await.unwrap().unwrap();
	let call = authorize(&client, &school, asked, &request, Depth::Final)
		.await
		.unwrap();
	client.send(&school.account, &call).await.unwrap();
	let rejected = ask(&client, &company, school.id(), scope(0, 0, 3, 4), 0).await;
	// The range of this request does not contain the record.
	ask(&client, &company, school.id(), scope(0, 0, 4, 5), 0).await;
	let reject = client.reject_request(rejected, "no").await.unwrap();
	client.send(&school.account, &reject).await.unwrap();

	let last = client.best().await.unwrap().block().number;
	let record = Subject::Record {
		owner: *school.id(),
		key: record_key("2025-03").unwrap(),
	};
	let history = trace(&client, &record, first, last, &mut ()).await.unwrap();
	assert!(history.is_sorted_by_key(|happening| happening.block.number));
	let events: Vec<&Event> = history.iter().map(|happening| &happening.event).collect();
	assert!(
		matches!(
			events[..],
			[
				Event::Stored { leaf: 3, .. },
				Event::AccessRequested { offer: UNIT, .. },
				Event::Authorized { paid: UNIT, .. },
				Event::AccessRequested { offer: 0, .. },
				Event::RequestRejected { .. },
			]
		),
		"{events:?}"
	);
	assert!(events[1..]
		.iter()
		.all(|event| event.reader() == Some(company.id())));

	// A trace that starts later finds the same, from there on.
	let dataset = Subject::Dataset {
		owner: *school.id(),
		dataset: 0,
	};
	for subject in [record, dataset] {
		let all = trace(&client, &subject, first, last, &mut ())
			.await
			.unwrap();
		let from = all
			.iter()
			.find(|happening| matches!(happening.event, Event::RequestRejected { .. }))
			.unwrap()
			.block
			.number;
		let later = trace(&client, &subject, from, last, &mut ()).await.unwrap();
		let expected: Vec<_> = all
			.into_iter()
			.filter(|happening| happening.block.number >= from)
			.collect();
		assert_eq!(later, expected);
	}
	let too_far = trace(&client, &dataset_of(&school), last, last + 1_000, &mut ()).await;
	assert!(matches!(too_far, Err(Error::NoSuchBlock(_))), "{too_far:?}");
}

fn dataset_of(owner: &Identity) -> Subject {
	Subject::Dataset {
		owner: *owner.id(),
		dataset: 0,
	}
}
