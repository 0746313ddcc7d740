// SPDX-License-Identifier: Apache-2.0
//! Tests operators, who answer for an owner with keys that they were granted.

use crate::{scenario::*, serving::reports};
use isthmus_sdk::{
	operator::Held,
	serve::{check, Limits},
	*,
};
use std::time::Duration;

/// A school, an account that answers for it, and a company that asks.
struct Setting {
	client: Client,
	school: Identity,
	operator: Identity,
	company: Identity,
	/// The operator's own grant, on leaves 0 to 9.
	grant: GrantId,
}

impl Setting {
	/// Makes the three accounts from a name that no other test has.
	async fn new(name: &str) -> Self {
		let client = connect().await;
		let uris = ["school", "operator", "company"].map(|role| format!("//{name}//{role}"));
		let [school, operator, company] =
			accounts(&client, uris.each_ref().map(String::as_str)).await;
		register(&client, &school).await;
		publish(&client, &operator).await;
		publish(&client, &company).await;
		let grant = give(&client, &school, operator.id(), scope(0, 0, 0, 10)).await;
		Self {
			client,
			operator: operator.acting_for(*school.id()),
			school,
			company,
			grant,
		}
	}

	/// Names the operator, and waits until that is final.
	async fn add(&self) {
		let (owner, operator) = (self.school.id(), self.operator.account.id());
		let call = self.client.add_operator(owner, operator).await.unwrap();
		self.as_school(&call).await;
	}

	/// Sends a call as the school, and waits until it is final.
	async fn as_school(&self, call: &Call) {
		self.send(&self.school, call).await;
	}

	/// Sends a call, and waits until it is final, and the node proves that.
	async fn send(&self, from: &Identity, call: &Call) {
		let sent = self.client.submit(&from.account, call).await;
		let block = sent.unwrap().finalized().await.unwrap().number();
		while self.client.proven().await.unwrap().block().number < block {
			tokio::time::sleep(Duration::from_millis(50)).await;
		}
	}

	/// Makes the operator's call that gives the company a grant that it did not request.
	async fn unasked(&self) -> Result<Call, Error> {
		let client = &self.client;
		let best = client.best().await?;
		let terms = Terms {
			grantee: *self.company.id(),
			scope: scope(0, 0, 3, 4),
			expiry: sharing::expiry(&best, 5_000),
			until: None,
			request: None,
			condition: None,
		};
		let acting = client.acting_on(self.operator.clone(), 0).await?;
		sharing::grant(client, &best, &acting, &terms).await
	}

	/// Asks for leaves of epoch 0.
	async fn ask(&self, from: u64, to: u64) -> RequestId {
		let (owner, scope) = (self.school.id(), scope(0, 0, from, to));
		ask(&self.client, &self.company, owner, scope, 0).await
	}

	/// Answers a request as the operator.
	async fn answer(&self, id: RequestId) -> Result<Included, Error> {
		let client = &self.client;
		let open = client.best().await?.request(id).await?.unwrap();
		let acting = client.acting_on(self.operator.clone(), 0).await?;
		let call = authorize(client, &acting, id, &open, Depth::Final).await?;
		client.send(&acting.account, &call).await
	}
}

/// What is held from an account.
async fn held(client: &Client, account: &AccountId) -> Balance {
	funds(client, account).await.held
}

async fn funds(client: &Client, account: &AccountId) -> Funds {
	let best = client.best().await.unwrap();
	best.funds(account).await.unwrap()
}

#[tokio::test]
async fn an_operator_answers_with_what_it_was_granted_and_nothing_else() {
	let setting = Setting::new("operating").await;
	let Setting {
		client,
		school,
		operator,
		company,
		grant,
	} = &setting;
	let inside = place("inside", 0, 3);
	store(client, school, inside, b"inside").await;

	// Its grant alone is not enough.
	let request = setting.ask(2, 5).await;
	let refused = setting.answer(request).await.unwrap_err();
	assert!(
		matches!(
			refused,
			Error::Operator(OperatorError::NotAnOperator { operator: by, .. }) if by == *operator.account.id()
		),
		"{refused:?}"
	);
	assert!(check(client, operator).await.is_err());

	setting.add().await;
	check(client, operator).await.unwrap();
	let before = held(client, operator.account.id()).await;
	let included = setting.answer(request).await.unwrap();
	let granted = included.events.iter().find_map(Event::granted).unwrap();
	assert_eq!(
		(granted.terms.grantee, granted.terms.scope),
		(*company.id(), scope(0, 0, 2, 5))
	);
	let read = read(client, company, school.id(), inside.key).await;
	assert_eq!(read.unwrap(), b"inside");
	assert_eq!(held(client, operator.account.id()).await, before);

	// It has no keys of leaf 10.
	let beyond = setting.ask(5, 11).await;
	let refused = setting.answer(beyond).await.unwrap_err();
	let own = [Held {
		grant: *grant,
		scope: scope(0, 0, 0, 10),
		state: GrantState::Active,
	}];
	assert!(
		matches!(
			&refused,
			Error::Operator(OperatorError::OutsideGrants { scope: asked, held, .. })
				if *asked == scope(0, 0, 5, 11) && held[..] == own
		),
		"{refused:?}"
	);

	// What the chain refuses is an error, although the operator's transaction succeeds.
	let acting = client.acting_on(operator.clone(), 0).await.unwrap();
	let reject = client.reject_request(RequestId::MAX, "").await.unwrap();
	let refused = client.send(&acting.account, &reject).await.unwrap_err();
	assert_eq!(refused.refusal(), Some(&PalletError::UnknownRequest));

	// Its own grant ends, and with it what it can answer.
	let again = setting.ask(2, 6).await;
	let revoke = client.revoke(*grant).await.unwrap();
	setting.as_school(&revoke).await;
	let refused = setting.answer(again).await.unwrap_err();
	assert!(
		matches!(
			&refused,
			Error::Operator(OperatorError::OutsideGrants { held, .. })
				if held.iter().any(|own| own.grant == *grant && own.state == GrantState::Revoked)
		),
		"{refused:?}"
	);
}

#[tokio::test]
async fn an_operator_that_was_removed_answers_nothing() {
	let setting = Setting::new("removing").await;
	let Setting {
		client,
		school,
		operator,
		company,
		..
	} = &setting;
	setting.add().await;
	// A grant that no one asked for takes its deposit from the owner.
	let acting = client.acting_on(operator.clone(), 0).await.unwrap();
	let before = held(client, school.id()).await;
	let own = held(client, operator.account.id()).await;
	give(client, &acting, company.id(), scope(0, 0, 3, 4)).await;
	assert!(held(client, school.id()).await > before);
	assert_eq!(held(client, operator.account.id()).await, own);

	let remove = client.remove_operator(operator.account.id(), 0).await;
	setting.as_school(&remove.unwrap()).await;
	let request = setting.ask(5, 6).await;
	let refused = setting.answer(request).await.unwrap_err();
	assert!(
		matches!(
			refused,
			Error::Operator(OperatorError::NotAnOperator { .. })
		),
		"{refused:?}"
	);
}

#[tokio::test]
async fn an_operator_serves_its_range_and_leaves_the_rest_to_the_owner() {
	let setting = Setting::new("operators").await;
	let Setting { client, school, .. } = &setting;
	let policy = Policy {
		price: 0,
		firm_price: None,
		longest_range: 10,
		longest_term: 500,
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	};
	let set = client.set_policy(0, policy, None).await.unwrap();
	client.send(&school.account, &set).await.unwrap();
	setting.add().await;
	let asked = [setting.ask(0, 5).await, setting.ask(8, 12).await];
	let served = reports(client, &setting.operator, &Limits::default(), 2).await;
	let requests: Vec<_> = served.iter().map(|served| served.request).collect();
	assert_eq!(requests, asked);
	assert!(served[0].outcome.is_ok(), "{served:?}");
	assert!(
		matches!(
			served[1].outcome,
			Err(Error::Operator(OperatorError::OutsideGrants { .. }))
		),
		"{served:?}"
	);
}

/// The grants of an operator on other epochs are not looked at, however many others give it.
#[tokio::test]
async fn an_operator_has_what_it_was_granted_on_the_epoch_that_is_asked_for() {
	let setting = Setting::new("epochs").await;
	let Setting { client, school, .. } = &setting;
	setting.add().await;
	let start = client.start_epoch(0).await.unwrap();
	setting.as_school(&start).await;
	let newer = scope(0, 1, 2, 5);
	let request = ask(client, &setting.company, school.id(), newer, 0).await;
	let refused = setting.answer(request).await.unwrap_err();
	assert!(
		matches!(
			&refused,
			Error::Operator(OperatorError::OutsideGrants { scope: asked, held, .. })
				if *asked == newer && held.is_empty()
		),
		"{refused:?}"
	);
}

#[tokio::test]
async fn keys_from_another_seed_answer_nothing() {
	let setting = Setting::new("mistaken").await;
	let Setting {
		client,
		school,
		operator,
		..
	} = &setting;
	// Nothing is stored yet by which the grant could be told to be wrong.
	let mistaken = Identity {
		account: school.account.clone(),
		..Identity::development("//mistaken//seed").unwrap()
	};
	let leaves = scope(0, 0, 10, 20);
	let wrong = give(client, &mistaken, operator.account.id(), leaves).await;
	store(client, school, place("first", 0, 12), b"first").await;
	// The record is final with this.
	setting.add().await;
	let request = setting.ask(12, 14).await;
	let refused = setting.answer(request).await.unwrap_err();
	assert!(
		matches!(
			refused,
			Error::Operator(OperatorError::WrongKeys { grant }) if grant == wrong
		),
		"{refused:?}"
	);
	let good = setting.ask(2, 5).await;
	setting.answer(good).await.unwrap();
}

#[tokio::test]
async fn a_grant_that_no_one_requested_is_given_if_its_owner_has_the_deposit() {
	let setting = Setting::new("short").await;
	let Setting {
		client,
		school,
		company,
		..
	} = &setting;
	setting.add().await;
	let has = funds(client, school.id()).await.free;
	let rest = client.transfer(company.id(), has - UNIT / 4).await.unwrap();
	setting.as_school(&rest).await;
	let lacks = async || match setting.unasked().await.map(drop) {
		Err(Error::Operator(OperatorError::OwnerLacksDeposit {
			owner,
			needed,
			free,
		})) if owner == *school.id() => (needed, free),
		other => panic!("{other:?}"),
	};
	let (needed, free) = lacks().await;
	let least = UNIT / 1000;
	assert_eq!(free, funds(client, school.id()).await.free - least);

	// All but one of the smallest unit is too little, and with that one the chain holds the deposit.
	let most = client.transfer(school.id(), needed - free - 1).await;
	setting.send(company, &most.unwrap()).await;
	assert_eq!(lacks().await, (needed, needed - 1));
	let one = client.transfer(school.id(), 1).await.unwrap();
	setting.send(company, &one).await;
	let before = held(client, school.id()).await;
	let call = setting.unasked().await.unwrap();
	let acting = client.acting_on(setting.operator.clone(), 0).await.unwrap();
	client.send(&acting.account, &call).await.unwrap();
	let after = funds(client, school.id()).await;
	assert_eq!((after.free, after.held), (least, before + needed));
}

#[tokio::test]
async fn after_a_lost_dispute_an_operator_sells_nothing_until_the_owner_has_the_deposit_again() {
	let setting = Setting::new("disputed").await;
	let Setting {
		client,
		school,
		company,
		..
	} = &setting;
	setting.add().await;
	// The school sells keys of another seed, while nothing is stored by which that could be noticed.
	let mistaken = Identity {
		account: school.account.clone(),
		..Identity::development("//disputed//seed").unwrap()
	};
	let sold = ask(client, company, school.id(), scope(0, 0, 20, 30), UNIT).await;
	let open = client.best().await.unwrap().request(sold).await.unwrap();
	let call = authorize(client, &mistaken, sold, &open.unwrap(), Depth::Final).await;
	let included = client.send(&school.account, &call.unwrap()).await.unwrap();
	let granted = included.events.iter().find_map(Event::granted).unwrap();
	store(client, school, place("sold", 0, 20), b"sold").await;
	let best = client.best().await.unwrap();
	let has = best.funds(school.id()).await.unwrap().free;
	let spend = client.transfer(company.id(), has - UNIT / 50).await;
	// The record is final with this.
	setting.as_school(&spend.unwrap()).await;
	let complaint = dispute(client, company, granted.grant, None).await.unwrap();
	let won = client
		.send(&company.account, &complaint.call)
		.await
		.unwrap();
	let slashed = won.events.iter().find_map(|event| match event {
		Event::DisputeWon { slashed, .. } => Some(*slashed),
		_ => None,
	});

	let request = ask(client, company, school.id(), scope(0, 0, 2, 5), UNIT).await;
	let refused = setting.answer(request).await.unwrap_err();
	assert!(
		matches!(
			&refused,
			Error::Operator(OperatorError::OwnerLacksDeposit { owner, needed, .. })
				if owner == school.id() && Some(*needed) == slashed
		),
		"{refused:?}"
	);
	let back = client.transfer(school.id(), UNIT).await.unwrap();
	setting.send(company, &back).await;
	let before = held(client, school.id()).await;
	setting.answer(request).await.unwrap();
	let held = held(client, school.id()).await;
	assert_eq!(Some(held - before), slashed);
}

#[tokio::test]
async fn an_operator_answers_nothing_while_the_dataset_is_offered() {
	let setting = Setting::new("offering").await;
	let Setting {
		client, company, ..
	} = &setting;
	setting.add().await;
	let request = setting.ask(2, 5).await;
	let offer = client.offer_dataset(0, company.id()).await.unwrap();
	setting.as_school(&offer).await;
	let refused = setting.answer(request).await.unwrap_err();
	assert!(
		matches!(refused, Error::DatasetIsOffered { dataset: 0, to } if to == *company.id()),
		"{refused:?}"
	);
	let refused = setting.unasked().await.map(drop);
	assert!(
		matches!(refused, Err(Error::DatasetIsOffered { .. })),
		"{refused:?}"
	);
	let withdraw = client.withdraw_dataset_offer(0).await.unwrap();
	setting.as_school(&withdraw).await;
	setting.answer(request).await.unwrap();
}
