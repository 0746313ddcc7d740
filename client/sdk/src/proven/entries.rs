// SPDX-License-Identifier: Apache-2.0
//! The entries of the state, and lists of them, as they are proven.

use super::*;
use crate::facts::Subject;

impl Proven {
	/// Returns the time of the block, in seconds since 1970.
	pub async fn time(&self) -> Result<Seconds, Error> {
		let milliseconds: Option<u64> = self.get(storage::now()).await?;
		Ok(milliseconds.unwrap_or_default() / 1000)
	}

	/// Returns the producer with this account.
	pub async fn producer(&self, account: &AccountId) -> Result<Option<Producer>, Error> {
		self.get(storage::producer(&account.0)).await
	}

	/// Returns an account's public encryption key.
	pub async fn encryption_key(&self, account: &AccountId) -> Result<Option<PublicKey>, Error> {
		let registered: Option<RegisteredKey> =
			self.get(storage::encryption_key(&account.0)).await?;
		let key = registered.map(|registered| PublicKey::from_bytes(&registered.key));
		Ok(key.transpose()?)
	}

	/// Returns a dataset.
	pub async fn dataset(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<Dataset>, Error> {
		self.get(storage::dataset(&owner.0, dataset)).await
	}

	/// Returns who controls a dataset.
	pub async fn control(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<Control>, Error> {
		self.get(storage::control(&owner.0, dataset)).await
	}

	/// Returns the accounts that may act for another one, in the order of the chain's list: those of the kinds that this
	/// library knows.
	pub async fn proxies(&self, account: &AccountId) -> Result<Vec<Proxy>, Error> {
		/// Each account, its kind and its delay; and the deposit.
		type Entry = (Vec<(AccountId, u8, BlockNumber)>, Balance);
		let entry: Option<Entry> = self.get(storage::proxies(&account.0)).await?;
		let (named, _) = entry.unwrap_or_default();
		let known = |(delegate, kind, delay): (AccountId, u8, BlockNumber)| {
			let proxy_type = ProxyKind::decode(&mut &[kind][..]).ok()?;
			Some(Proxy {
				delegate,
				proxy_type,
				delay,
			})
		};
		Ok(named.into_iter().filter_map(known).collect())
	}

	/// Returns a dataset's policy, and the condition that requests have to meet besides.
	pub async fn policy(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<(Policy, Option<Condition>)>, Error> {
		/// The policy, its deposit, and its condition.
		type Standing = (Policy, Balance, Option<Attached<Balance>>);
		let standing: Option<Standing> = self.get(storage::policy(&owner.0, dataset)).await?;
		Ok(standing.map(|(policy, _, attached)| {
			let condition = attached.map(|attached| attached.condition);
			(policy, condition)
		}))
	}

	/// Returns the keys of an owner's records that are under an embargo, stored already or not.
	pub async fn embargoes(&self, owner: &AccountId) -> Result<Vec<RecordKey>, Error> {
		let prefix = storage::embargoes(&owner.0);
		let keys = self.keys(prefix.clone()).await?;
		let key = |key: &Vec<u8>| storage::chosen(&mut &key[prefix.len()..]);
		Ok(keys.iter().filter_map(key).collect())
	}

	/// Returns where a dataset's objects are, as its owner published; empty if it did not.
	pub async fn locations(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Vec<String>, Error> {
		let urls = self.urls(owner, dataset).await?;
		// The chain takes only visible ASCII.
		let text = |url: Vec<u8>| String::from_utf8_lossy(&url).into_owned();
		Ok(urls.into_iter().map(text).collect())
	}

	/// Does the same as [`locations`](Self::locations), in bytes.
	async fn urls(&self, owner: &AccountId, dataset: DatasetId) -> Result<Vec<Vec<u8>>, Error> {
		let entry: Option<Locations> = self.get(storage::locations(&owner.0, dataset)).await?;
		Ok(entry.map_or_else(Vec::new, |entry| entry.urls))
	}

	/// Returns how many objects a dataset has.
	pub async fn object_count(&self, owner: &AccountId, dataset: DatasetId) -> Result<u32, Error> {
		Ok(self.objects_since(owner, dataset).await?.count)
	}

	/// Returns how many objects a dataset has, and since when it has any.
	pub(crate) async fn objects_since(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<ObjectCount, Error> {
		let objects = self.get(storage::object_count(&owner.0, dataset)).await?;
		Ok(objects.unwrap_or_default())
	}

	/// Returns the keys of the records of a dataset that are objects, in the order of the chain's list.
	pub async fn objects(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Vec<RecordKey>, Error> {
		let count = self.object_count(owner, dataset).await?;
		let places = (0..count).map(|ordinal| storage::object(&owner.0, dataset, ordinal));
		let places: Vec<_> = places.collect();
		self.load(&places).await?;
		let mut keys = Vec::new();
		for place in places {
			let key: Option<RecordKey> = self.get(place).await?;
			keys.extend(key);
		}
		Ok(keys)
	}

	/// Returns a record, complete or not.
	pub async fn record(&self, owner: &AccountId, key: RecordKey) -> Result<Option<Record>, Error> {
		self.get(storage::record(&owner.0, key)).await
	}

	/// Returns the entry of a taken leaf; `None` if the leaf is free.
	pub async fn leaf(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
	) -> Result<Option<TakenLeaf>, Error> {
		self.get(storage::leaf(&owner.0, dataset, epoch, leaf))
			.await
	}

	/// Returns an open request.
	pub async fn request(&self, id: RequestId) -> Result<Option<Request>, Error> {
		self.get(storage::request(id)).await
	}

	/// Returns a grant: an active one, or one that the chain still remembers.
	pub async fn grant(&self, id: GrantId) -> Result<Option<Grant>, Error> {
		self.get(storage::grant(id)).await
	}

	/// Returns the payment for a grant, as long as its reader can dispute it.
	pub async fn payment(&self, id: GrantId) -> Result<Option<Payment>, Error> {
		self.get(storage::payment(id)).await
	}

	/// Returns an account's funds.
	pub async fn funds(&self, account: &AccountId) -> Result<Funds, Error> {
		/// The account's nonce and three counters of references, and its four amounts.
		type Info = (u32, u32, u32, u32, [Balance; 4]);
		let info: Option<Info> = self.get(storage::funds(&account.0)).await?;
		Ok(
			info.map_or_else(Funds::default, |(_, _, _, _, amounts)| Funds {
				free: amounts[0],
				held: amounts[1],
			}),
		)
	}

	/// Returns the open requests to an owner, all of them, with the policies' verdicts.
	pub async fn requests_to(&self, owner: &AccountId) -> Result<Vec<RequestEntry>, Error> {
		let ids = self.numbers(storage::requests_to(&owner.0)).await?;
		let keys: Vec<_> = ids.iter().map(|id| storage::request(*id)).collect();
		self.load(&keys).await?;
		let mut requests = Vec::new();
		for id in ids {
			let Some(request) = self.request(id).await? else {
				continue;
			};
			requests.push((id, request));
		}
		let conditions = requests.iter().flat_map(|(_, request)| {
			let policy = storage::policy(&owner.0, request.scope.dataset);
			[policy, storage::producer(&request.consumer.0)]
		});
		self.load(&conditions.collect::<Vec<_>>()).await?;
		let mut entries = Vec::new();
		for (id, request) in requests {
			let verdict = self.verdict(&request).await?;
			entries.push(RequestEntry {
				id,
				request,
				verdict,
			});
		}
		Ok(entries)
	}

	/// Returns what the dataset's policy says about a request.
	async fn verdict(&self, request: &Request) -> Result<Verdict, Error> {
		let Request {
			owner,
			consumer,
			scope,
			code,
			term,
			offer,
			firm,
			..
		} = request;
		let Some((policy, condition)) = self.policy(owner, scope.dataset).await? else {
			return Ok(Verdict::NoPolicy);
		};
		let kind = self.producer(consumer).await?.map(|consumer| consumer.kind);
		let verdict = policy.judge(kind, *code, scope, term, offer, *firm);
		let (Verdict::Meets, Some(condition)) = (verdict, condition) else {
			return Ok(verdict);
		};
		let subject = Subject {
			account: Some(*consumer),
			paid: Some(*offer),
			dataset: Some((*owner, scope.dataset)),
		};
		let evaluation = self.evaluate(&condition, &subject).await?;
		Ok(match evaluation.truth.is_met() {
			true => Verdict::Meets,
			false => Verdict::ConditionNotMet,
		})
	}

	/// Returns the grants that a reader has, all of them: those in one state, or in any. Anyone may give it some: where only
	/// one owner's count, use [`grants_from`](Self::grants_from).
	pub async fn grants_to(
		&self,
		reader: &AccountId,
		state: Option<GrantState>,
	) -> Result<Vec<GrantEntry>, Error> {
		let ids = self.numbers(storage::grants_to(&reader.0)).await?;
		self.grants(&ids, state).await
	}

	/// Returns the grants that a reader has on an epoch of a dataset, all of them.
	pub async fn grants_on(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		epoch: Epoch,
		reader: &AccountId,
	) -> Result<Vec<GrantEntry>, Error> {
		let list = storage::grants_on(&owner.0, dataset, epoch, &reader.0);
		let ids = self.reader_entry(list).await?;
		self.grants(&ids, None).await
	}

	/// Returns the grants that an owner gave, all of them: those in one state, or in any.
	pub async fn grants_of(
		&self,
		owner: &AccountId,
		state: Option<GrantState>,
	) -> Result<Vec<GrantEntry>, Error> {
		let mut ids = Vec::new();
		for key in self.keys(storage::grants_of(&owner.0)).await? {
			ids.extend(self.reader_entry(key).await?);
		}
		self.grants(&ids, state).await
	}

	/// Returns the grants in an entry of the authorization list.
	pub(crate) async fn reader_entry(&self, key: Vec<u8>) -> Result<Vec<GrantId>, Error> {
		/// The grants, and how many requests are open.
		type Entry = (Vec<GrantId>, u32);
		let entry: Option<Entry> = self.get(key).await?;
		Ok(entry.map_or_else(Vec::new, |(grants, _)| grants))
	}

	/// Returns the numbers at the ends of all keys with this prefix, in order.
	async fn numbers(&self, prefix: Vec<u8>) -> Result<Vec<u64>, Error> {
		let keys = self.keys(prefix).await?;
		let mut numbers: Vec<_> = keys
			.iter()
			.filter_map(|key| storage::last_number(key))
			.collect();
		numbers.sort_unstable();
		Ok(numbers)
	}

	pub(crate) async fn grants(
		&self,
		ids: &[GrantId],
		wanted: Option<GrantState>,
	) -> Result<Vec<GrantEntry>, Error> {
		let mut keys: Vec<_> = ids.iter().map(|id| storage::grant(*id)).collect();
		keys.push(storage::now());
		self.load(&keys).await?;
		let (now, time) = (self.block.number, self.time().await?);
		let mut entries = Vec::new();
		for id in ids {
			let Some(mut grant) = self.grant(*id).await? else {
				continue;
			};
			grant.state = grant.state_at(&now, time);
			if wanted.is_none_or(|wanted| wanted == grant.state) {
				entries.push(GrantEntry { id: *id, grant });
			}
		}
		Ok(entries)
	}

	/// Proves what a caller may know about a record, in one request if what the node `said` is right.
	pub(super) async fn prove_query(
		&self,
		caller: &AccountId,
		owner: &AccountId,
		key: RecordKey,
		said: &Result<Answer, QueryRefusal>,
	) -> Result<Result<Answer, QueryRefusal>, Error> {
		let embargo = storage::embargo(&owner.0, key);
		let mut keys = vec![
			storage::record(&owner.0, key),
			embargo.clone(),
			storage::now(),
		];
		if let Ok(said) = said {
			let (dataset, epoch) = (said.dataset, said.epoch);
			keys.push(storage::control(&owner.0, dataset));
			keys.push(storage::grants_on(&owner.0, dataset, epoch, &caller.0));
			keys.extend(said.grant.iter().map(|grant| storage::grant(grant.grant)));
			if let Payload::Object { .. } = said.payload {
				keys.push(storage::locations(&owner.0, dataset));
			}
		}
		self.load(&keys).await?;
		let Some(record) = self.record(owner, key).await? else {
			return Ok(Err(QueryRefusal::UnknownRecord));
		};
		let Record {
			dataset,
			epoch,
			leaf,
			payload,
			..
		} = record;
		let control = self.control(owner, dataset).await?;
		let controller = control.map_or(*owner, |control| control.controller);
		let is_controller = *caller == controller;
		let grant = match is_controller && caller == owner {
			// The account in a dataset's address never has a grant on it.
			true => None,
			false => {
				let list = storage::grants_on(&owner.0, dataset, epoch, &caller.0);
				match self.opening_grant(list, leaf).await? {
					opening if is_controller => opening.ok(),
					Ok(_) if !payload.is_complete() => return Ok(Err(QueryRefusal::Incomplete)),
					Ok(_) if self.get::<u64>(embargo).await?.is_some() => {
						return Ok(Err(QueryRefusal::Embargoed))
					}
					Ok(grant) => Some(grant),
					Err(refusal) => return Ok(Err(refusal)),
				}
			}
		};
		let locations = match payload {
			Payload::Object { .. } => self.urls(owner, dataset).await?,
			Payload::Value { .. } | Payload::Chunks { .. } => Vec::new(),
		};
		Ok(Ok(Answer {
			dataset,
			epoch,
			leaf,
			payload,
			locations,
			grant,
		}))
	}

	/// Finds the grant of a list that opens a leaf, as the chain does in its `query`.
	async fn opening_grant(
		&self,
		list: Vec<u8>,
		leaf: Leaf,
	) -> Result<Result<OpeningGrant, QueryRefusal>, Error> {
		let list = self.reader_entry(list).await?;
		let (now, time) = (self.block.number, self.time().await?);
		let mut refusal = QueryRefusal::NotAuthorised;
		for id in list.into_iter().rev() {
			let Some(grant) = self.grant(id).await? else {
				continue;
			};
			let why_not = match grant.state_at(&now, time) {
				_ if !grant.scope.covers(leaf) => QueryRefusal::OutOfRange,
				GrantState::Revoked => QueryRefusal::Revoked,
				GrantState::Expired => QueryRefusal::Expired,
				GrantState::Suspended => QueryRefusal::Suspended,
				GrantState::Active => {
					return Ok(Ok(OpeningGrant {
						grant: id,
						scope: grant.scope,
						expiry: grant.expiry,
						until: grant.until,
						sealed_keys: grant.sealed_keys,
					}))
				}
			};
			if matches!(
				refusal,
				QueryRefusal::NotAuthorised | QueryRefusal::OutOfRange
			) {
				refusal = why_not;
			}
		}
		Ok(Err(refusal))
	}
}
