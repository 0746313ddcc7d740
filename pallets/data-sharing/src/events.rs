// SPDX-License-Identifier: Apache-2.0
//! The pallet's events, which clients read to follow what happens to records, requests and grants.

use polkadot_sdk::*;

/// The pallet's events.
#[frame_support::pallet_macros::pallet_section]
mod events {
	/// Data sharing's events. Together they record the whole history of every record and grant.
	///
	/// Each event names its dataset, if it has one, so that it can be found without the state. `owner` is the account in the
	/// dataset's address. Another account may control the dataset: events of payments, answers and embargoes name the account
	/// that paid, was paid or acted. What else was done with a dataset was done by the account that signed the transaction.
	///
	/// A node keeps events for as long as block bodies and decodes none of them, so never change an event's fields or
	/// order once a version is released: add a new event.
	#[pallet::event]
	pub enum Event<T: Config> {
		/// A producer registered.
		Registered {
			/// Its account, which is its contract's address.
			producer: T::AccountId,
			/// Its kind.
			kind: ProducerKind,
			/// Its name.
			name: Name,
		},
		/// A producer deregistered.
		Deregistered {
			/// Its account.
			producer: T::AccountId,
		},
		/// An account registered an encryption key, or replaced the one it had.
		EncryptionKeySet {
			/// The account.
			account: T::AccountId,
			/// The key.
			key: EncryptionKey,
		},
		/// An account removed its encryption key.
		EncryptionKeyRemoved {
			/// The account.
			account: T::AccountId,
		},
		/// A producer created a dataset.
		DatasetCreated {
			/// The producer.
			owner: T::AccountId,
			/// The dataset's number.
			dataset: DatasetId,
			/// Its name.
			name: Name,
		},
		/// A producer removed an empty dataset.
		DatasetRemoved {
			/// The producer.
			owner: T::AccountId,
			/// The dataset's number.
			dataset: DatasetId,
		},
		/// A dataset started a new epoch.
		EpochStarted {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The new epoch, which takes all records from now on.
			epoch: Epoch,
		},
		/// An owner set a dataset's policy.
		PolicySet {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The policy.
			policy: Policy<BalanceOf<T>, BlockNumberFor<T>>,
			/// The condition that requests must meet, if any.
			condition: Option<Condition>,
		},
		/// An owner removed a dataset's policy.
		PolicyCleared {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
		},
		/// An owner closed a dataset to requests, or opened it to them again.
		DatasetClosed {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// Whether it takes no more requests.
			closed: bool,
		},
		/// T_s: a record was stored.
		Stored {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
			/// Its dataset.
			dataset: DatasetId,
			/// The dataset's epoch.
			epoch: Epoch,
			/// The leaf it takes.
			leaf: Leaf,
			/// The BLAKE2b-256 hash of its value.
			content_hash: H256,
			/// The value's length, in bytes.
			length: u32,
		},
		/// T_s: an owner stored the manifest of a large record. Its chunks follow.
		RecordOpened {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
			/// Its dataset.
			dataset: DatasetId,
			/// The dataset's epoch.
			epoch: Epoch,
			/// The leaf it takes.
			leaf: Leaf,
			/// The BLAKE2b-256 hash of its manifest.
			manifest: H256,
			/// The total length of its chunks, in bytes.
			length: u64,
			/// The number of its chunks.
			chunks: u32,
		},
		/// A chunk of a large record was stored.
		ChunkStored {
			/// The record's owner.
			owner: T::AccountId,
			/// The record's key.
			key: RecordKey,
			/// The record's dataset.
			dataset: DatasetId,
			/// The chunk's number, counted from 0.
			index: u32,
			/// The BLAKE2b-256 hash of the chunk.
			content_hash: H256,
		},
		/// A large record now has all its chunks and can be queried.
		RecordCompleted {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
			/// Its dataset.
			dataset: DatasetId,
		},
		/// An owner abandoned an unfinished large record.
		RecordAbandoned {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
			/// Its dataset.
			dataset: DatasetId,
			/// The number of its chunks that had been stored.
			arrived: u32,
		},
		/// A record was removed from the state. Nodes that keep old blocks still have its bytes; an object's are still where
		/// they were stored.
		RecordRemoved {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
			/// Its dataset.
			dataset: DatasetId,
		},
		/// The leaf of a removed record was freed after its epoch was over.
		LeafFreed {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The epoch.
			epoch: Epoch,
			/// The leaf.
			leaf: Leaf,
		},
		/// T_q: a consumer requested access.
		AccessRequested {
			/// The request's number.
			request: RequestId,
			/// The producer whose data is requested.
			owner: T::AccountId,
			/// The account that made the request.
			consumer: T::AccountId,
			/// The requested range.
			scope: Scope,
			/// The stated purpose, in words.
			purpose: Text,
			/// The stated purpose, by its code.
			code: PurposeCode,
			/// The requested minimum term, in blocks.
			term: BlockNumberFor<T>,
			/// The payment offered for authorisation.
			offer: BalanceOf<T>,
			/// Whether the term is to be firm.
			firm: bool,
			/// The first block at which the request is no longer valid.
			valid_until: BlockNumberFor<T>,
		},
		/// The consumer cancelled a request. If it had no offer or was overdue, its deposit and offer were
		/// released. Otherwise they are released when the request expires, at most `CancelNotice` blocks
		/// later, and the owner may answer it until then.
		RequestCancelled {
			/// The request's number.
			request: RequestId,
			/// The producer whose data was requested.
			owner: T::AccountId,
			/// The account that made the request.
			consumer: T::AccountId,
			/// The range that was requested.
			scope: Scope,
			/// The first block at which the request is no longer valid: this block, or the end of its notice.
			valid_until: BlockNumberFor<T>,
		},
		/// The owner rejected a request. The consumer's deposit and offer were released.
		RequestRejected {
			/// The request's number.
			request: RequestId,
			/// The producer whose data was requested.
			owner: T::AccountId,
			/// The account that made the request.
			consumer: T::AccountId,
			/// The range that was requested.
			scope: Scope,
			/// The owner's reason, which may be empty.
			reason: Text,
			/// The account that controls the dataset, and rejected the request.
			controller: T::AccountId,
		},
		/// A request expired without an answer. The consumer's deposit and offer were released.
		RequestLapsed {
			/// The request's number.
			request: RequestId,
			/// The producer whose data was requested.
			owner: T::AccountId,
			/// The account that made the request.
			consumer: T::AccountId,
			/// The range that was requested.
			scope: Scope,
		},
		/// An owner authorised a reader.
		Authorized {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who received the grant.
			grantee: T::AccountId,
			/// The range that it opens.
			scope: Scope,
			/// The first block at which it is no longer valid.
			expiry: BlockNumberFor<T>,
			/// The date at which it also expires, if any.
			until: Option<Seconds>,
			/// The request that it answers, if any.
			request: Option<RequestId>,
			/// That request's digest: what both sides agreed on.
			agreement: Option<H256>,
			/// The code of the purpose that the request stated.
			code: PurposeCode,
			/// The payment from the grantee to the owner.
			paid: BalanceOf<T>,
			/// Whether the paid term is firm.
			firm: bool,
			/// The condition under which it is good, if any.
			condition: Option<Condition>,
			/// The account that controls the dataset, and gave the grant.
			controller: T::AccountId,
		},
		/// An owner revoked a grant. The deposit for its sealed keys was released.
		Revoked {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who had the grant.
			grantee: T::AccountId,
			/// The range that it opened.
			scope: Scope,
			/// What was paid back to the reader: the share of the payment for the rest of the term.
			refunded: BalanceOf<T>,
			/// The account that controls the dataset, and revoked the grant and paid back.
			controller: T::AccountId,
		},
		/// A reader gave a grant up. The grant was removed and its deposit released.
		Renounced {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who had the grant.
			grantee: T::AccountId,
			/// The range that it opened.
			scope: Scope,
		},
		/// An ended grant was removed from the state, and the rest of its deposit released.
		GrantForgotten {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who had the grant.
			grantee: T::AccountId,
			/// The range that it opened.
			scope: Scope,
		},
		/// A grant expired. The deposit for its sealed keys was released.
		GrantExpired {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who had the grant.
			grantee: T::AccountId,
			/// The range that it opened.
			scope: Scope,
		},
		/// A grant was suspended: its condition is not met. Queries under it are refused until it is.
		GrantSuspended {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who has the grant.
			grantee: T::AccountId,
			/// The range that it opens.
			scope: Scope,
			/// `False` if the condition is known not to be met, `Unknown` if a fact that it depends on is missing.
			truth: Truth,
		},
		/// A grant was resumed: its condition is met again.
		GrantResumed {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who has the grant.
			grantee: T::AccountId,
			/// The range that it opens.
			scope: Scope,
		},
		/// A consumer put the offer of its request under a condition, changed the condition, or took it away.
		WithdrawalSet {
			/// The request's number.
			request: RequestId,
			/// The producer whose data is requested.
			owner: T::AccountId,
			/// The account that made the request.
			consumer: T::AccountId,
			/// The range that is requested.
			scope: Scope,
			/// The condition on which the offer is taken back; `None` if it stands.
			condition: Option<Condition>,
		},
		/// The condition on which an offer is taken back was met: the request was cancelled, as if its consumer had done it.
		OfferReleased {
			/// The request's number.
			request: RequestId,
			/// The producer whose data was requested.
			owner: T::AccountId,
			/// The account that made the request.
			consumer: T::AccountId,
			/// The range that was requested.
			scope: Scope,
			/// The first block at which the request is no longer valid, and its offer released: this block, or the end of its
			/// notice.
			valid_until: BlockNumberFor<T>,
		},
		/// An owner put a record under an embargo, before or after it was stored, or changed the condition of the embargo.
		Embargoed {
			/// The record's owner.
			owner: T::AccountId,
			/// The record's key.
			key: RecordKey,
			/// The condition on which the embargo ends.
			condition: Condition,
			/// The record's dataset, which keeps the key.
			dataset: DatasetId,
			/// The account that controls the dataset. It has the deposit for the condition.
			by: T::AccountId,
		},
		/// An embargo ended.
		EmbargoLifted {
			/// The record's owner.
			owner: T::AccountId,
			/// The record's key.
			key: RecordKey,
			/// Whether its condition was met. Otherwise the owner lifted it, or removed the record.
			met: bool,
			/// The record's dataset.
			dataset: DatasetId,
			/// The account that set the embargo, and got the deposit back.
			by: T::AccountId,
		},
		/// T_s: a record was stored whose bytes are an object, outside the chain.
		ObjectStored {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
			/// Its dataset.
			dataset: DatasetId,
			/// The dataset's epoch.
			epoch: Epoch,
			/// The leaf it takes.
			leaf: Leaf,
			/// The object's length, in bytes.
			length: u64,
			/// The object's BLAKE3 hash.
			root: H256,
		},
		/// An owner published where a dataset's objects are.
		LocationsSet {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The locations, all of them. Empty if the owner withdrew them.
			locations: Urls,
		},
		/// The time in which a payment could be disputed is over, or its reader gave the grant up: the owner was paid.
		OfferPaid {
			/// The grant's number.
			grant: GrantId,
			/// The owner: the account in the dataset's address.
			owner: T::AccountId,
			/// The reader, who paid.
			grantee: T::AccountId,
			/// The range that it opens.
			scope: Scope,
			/// The payment.
			paid: BalanceOf<T>,
			/// The account that controls the dataset, and was paid.
			controller: T::AccountId,
		},
		/// A reader showed that the keys of a grant do not open what it paid for. The grant was ended, and the payment given back.
		DisputeWon {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who had the grant.
			grantee: T::AccountId,
			/// The range that it was to open.
			scope: Scope,
			/// The leaf whose record the keys do not open.
			leaf: Leaf,
			/// The payment that the reader got back.
			refunded: BalanceOf<T>,
			/// What was burned of the deposit for the dataset.
			slashed: BalanceOf<T>,
			/// The account that controls the dataset, and lost what was burned.
			controller: T::AccountId,
		},
		/// A reader disputed a grant whose keys open the record at this leaf. The grant and the payment stay as they are.
		DisputeLost {
			/// The grant's number.
			grant: GrantId,
			/// The owner, who gave the grant.
			owner: T::AccountId,
			/// The reader, who has the grant.
			grantee: T::AccountId,
			/// The range that it opens.
			scope: Scope,
			/// The leaf whose record the keys open.
			leaf: Leaf,
			/// The account that controls the dataset, and will be paid.
			controller: T::AccountId,
		},
		/// The controller of a dataset offered it to another account, in place of one that it was offered to before.
		DatasetOffered {
			/// The account in the dataset's address.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The account that controls it.
			from: T::AccountId,
			/// The account that it is offered to.
			to: T::AccountId,
		},
		/// The controller of a dataset withdrew the offer of it.
		DatasetOfferWithdrawn {
			/// The account in the dataset's address.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The account that controls it.
			from: T::AccountId,
			/// The account that it was offered to.
			to: T::AccountId,
		},
		/// Another account took a dataset over: it controls it, has the deposits for it, and gets what readers pay.
		DatasetAccepted {
			/// The account in the dataset's address, which stays as it is.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The account that controlled it, and got the deposits back.
			from: T::AccountId,
			/// The account that controls it.
			to: T::AccountId,
			/// The deposits that are held from that account now.
			held: BalanceOf<T>,
			/// The epoch that starts with that.
			epoch: Epoch,
		},
	}
}
