//! What the pallet tells the world.

use polkadot_sdk::*;

/// The pallet's events.
#[frame_support::pallet_macros::pallet_section]
mod events {
	/// What happened. Together the events are the whole history of every record and grant.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A producer joined.
		Registered {
			/// Its account: its contract's address.
			producer: T::AccountId,
			/// What it is.
			kind: ProducerKind,
			/// What it calls itself.
			name: Name,
		},
		/// A producer left.
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
		/// An account took its encryption key back.
		EncryptionKeyRemoved {
			/// The account.
			account: T::AccountId,
		},
		/// A producer opened a dataset.
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
		/// A dataset moved on to a new epoch.
		EpochStarted {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The epoch that new records go to from now on.
			epoch: Epoch,
		},
		/// An owner said which requests for a dataset it will grant.
		PolicySet {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// Which requests.
			policy: Policy<BalanceOf<T>, BlockNumberFor<T>>,
		},
		/// A dataset has no policy any more.
		PolicyCleared {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
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
			/// BLAKE2b-256 of its value.
			content_hash: H256,
			/// How many bytes the value has.
			length: u32,
		},
		/// T_s: an owner began to store a large record. Its chunks follow.
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
			/// BLAKE2b-256 of its manifest.
			manifest: H256,
			/// How many bytes its chunks have together.
			length: u64,
			/// How many chunks it has.
			chunks: u32,
		},
		/// A chunk of a large record was stored.
		ChunkStored {
			/// The record's owner.
			owner: T::AccountId,
			/// The record's key.
			key: RecordKey,
			/// The chunk's number, from 0.
			index: u32,
			/// BLAKE2b-256 of the chunk.
			content_hash: H256,
		},
		/// A large record has all its chunks, and can be queried.
		RecordCompleted {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
		},
		/// An owner gave up a large record that had not all its chunks.
		RecordAbandoned {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
			/// How many of its chunks had been stored.
			arrived: u32,
		},
		/// A record was removed from the state. Nodes that keep old blocks still have its bytes.
		RecordRemoved {
			/// Its owner.
			owner: T::AccountId,
			/// Its key.
			key: RecordKey,
		},
		/// The leaf of a record that was removed is no longer remembered, as its epoch is over.
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
		/// T_q: a consumer asked for access.
		AccessRequested {
			/// The request's number.
			request: RequestId,
			/// Who is asked.
			owner: T::AccountId,
			/// Who asks.
			consumer: T::AccountId,
			/// For what.
			scope: Scope,
			/// What for.
			purpose: Text,
			/// For how many blocks.
			term: BlockNumberFor<T>,
			/// What is paid upon authorisation.
			offer: BalanceOf<T>,
			/// The first block at which the request is no longer good.
			valid_until: BlockNumberFor<T>,
		},
		/// The consumer took a request back. Deposit and offer went back to it; where something was
		/// offered, they do when the request lapses, `CancelNotice` blocks later at most, and the owner
		/// may answer it until then.
		RequestCancelled {
			/// The request's number.
			request: RequestId,
			/// Who was asked.
			owner: T::AccountId,
			/// Who asked.
			consumer: T::AccountId,
		},
		/// The owner refused a request. Deposit and offer went back to the consumer.
		RequestRejected {
			/// The request's number.
			request: RequestId,
			/// Who was asked.
			owner: T::AccountId,
			/// Who asked.
			consumer: T::AccountId,
			/// Why, if the owner said.
			reason: Text,
		},
		/// A request was not answered in time. Deposit and offer went back to the consumer.
		RequestLapsed {
			/// The request's number.
			request: RequestId,
			/// Who was asked.
			owner: T::AccountId,
			/// Who asked.
			consumer: T::AccountId,
		},
		/// An owner authorised a reader.
		Authorized {
			/// The grant's number.
			grant: GrantId,
			/// Who gave it.
			owner: T::AccountId,
			/// Who has it.
			grantee: T::AccountId,
			/// What it opens.
			scope: Scope,
			/// The first block at which it is no longer good.
			expiry: BlockNumberFor<T>,
			/// The date from which on it is no longer good, if it has one.
			until: Option<Seconds>,
			/// The request that it answers.
			request: Option<RequestId>,
			/// What the grantee paid the owner for it.
			paid: BalanceOf<T>,
		},
		/// An owner revoked a grant. What was held for its sealed keys went back to the owner.
		Revoked {
			/// The grant's number.
			grant: GrantId,
			/// Who gave it.
			owner: T::AccountId,
			/// Who had it.
			grantee: T::AccountId,
			/// What it opened.
			scope: Scope,
		},
		/// A grant's expiry came, or it gave way to another that its reader asked for. What was held for its sealed keys went back to the owner.
		GrantExpired {
			/// The grant's number.
			grant: GrantId,
			/// Who gave it.
			owner: T::AccountId,
			/// Who had it.
			grantee: T::AccountId,
			/// What it opened.
			scope: Scope,
		},
	}
}
