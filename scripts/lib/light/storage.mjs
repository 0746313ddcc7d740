// SPDX-License-Identifier: Apache-2.0

// The keys of the entries in the chain's state, as FRAME builds them, and the entries' layout. They are not taken from the
// node's metadata: a node could call one entry by another's name.

import { blake2AsU8a, xxhashAsU8a } from '@polkadot/util-crypto';
import { concat, utf8 } from '../envelope/common.mjs';
import { condition, value as factValue } from './condition.mjs';
import { Malformed } from './errors.mjs';
import { little } from './scale.mjs';

/** The version of the sharing pallet's storage that this library knows: `isthmus_sharing::terms::STORAGE_VERSION`. */
export const SHARING_VERSION = 1;
const SHARING = 'DataSharing';
/** The version of the keepers pallet's storage that this library knows: `isthmus_storage_proof::state::STORAGE_VERSION`. */
export const KEEPERS_VERSION = 0;
const KEEPERS = 'Keepers';
/** The version of the facts pallet's storage that this library knows: `isthmus_conditions::facts::STORAGE_VERSION`. */
export const FACTS_VERSION = 1;
const FACTS = 'Facts';

const key = (pallet, entry, ...parts) =>
	concat(xxhashAsU8a(utf8(pallet), 128), xxhashAsU8a(utf8(entry), 128), ...parts);
/** A part of a key that anyone may choose. */
const chosen = (part) => concat(blake2AsU8a(part, 128), part);
/** A name of a source or a topic in a key. It has at most 48 bytes, so its length takes one byte. */
const chosenName = (name) => chosen(concat([utf8(name).length << 2], utf8(name)));
/** A part of a key that the chain counts. */
const counted = (number, size) => concat(xxhashAsU8a(little(number, size), 64), little(number, size));

export const votersKey = () => key('Grandpa', 'Authorities');
/** The key of the version of the runtime that last began to execute blocks, and its name. */
export const lastUpgradeKey = () => key('System', 'LastRuntimeUpgrade');
export const nowKey = () => key('Timestamp', 'Now');
export const sharingVersionKey = () => key(SHARING, ':__STORAGE_VERSION__:');
export const encryptionKeyKey = (account) => key(SHARING, 'EncryptionKeys', chosen(account));
export const datasetKey = (owner, dataset) => key(SHARING, 'Datasets', chosen(owner), counted(dataset, 4));
export const controlKey = (owner, dataset) => key(SHARING, 'Controls', chosen(owner), counted(dataset, 4));
export const recordKeyOf = (owner, record) => key(SHARING, 'Records', chosen(owner), chosen(record));
export const locationsKey = (owner, dataset) => key(SHARING, 'Locations', chosen(owner), counted(dataset, 4));
/** The entry is there as long as the record is under an embargo. */
export const embargoKey = (owner, record) => key(SHARING, 'Embargoes', chosen(owner), chosen(record));
export const requestKey = (id) => key(SHARING, 'Requests', counted(id, 8));
export const grantKey = (id) => key(SHARING, 'Grants', counted(id, 8));
export const grantsOnKey = (owner, { dataset, epoch }, reader) =>
	key(SHARING, 'AuthorizationList', chosen(owner), counted(dataset, 4), counted(epoch, 4), chosen(reader));

export const leafKey = (owner, { dataset, epoch }, leaf) =>
	key(SHARING, 'Leaves', chosen(owner), counted(dataset, 4), counted(epoch, 4), counted(leaf, 4));

export const factsVersionKey = () => key(FACTS, ':__STORAGE_VERSION__:');
export const reportsKey = (source, topic) => key(FACTS, 'Reports', chosenName(source), chosenName(topic));

export const keepersVersionKey = () => key(KEEPERS, ':__STORAGE_VERSION__:');
/** The key of the length of keepers' periods. There is none if it is the runtime's default. */
export const keepersPeriodKey = () => key(KEEPERS, 'PeriodLength');
/** The beginning of the keys of a dataset's keepers. */
export const keepersKey = (owner, dataset) => key(KEEPERS, 'Keepers', chosen(owner), counted(dataset, 4));
export const keeperKey = (owner, dataset, account) => concat(keepersKey(owner, dataset), chosen(account));
/** Returns the keeper's account from the end of an entry's key. */
export const keeperOf = (entryKey) => entryKey.slice(-32);
export const potKey = (owner, dataset) => key(KEEPERS, 'Pots', chosen(owner), counted(dataset, 4));

const scope = (reader) => ({
	...{ dataset: reader.u32(), epoch: reader.u32() },
	...{ from: Number(reader.u64()), to: Number(reader.u64()) },
});

const value = (reader) => ({
	...{ contentHash: reader.bytes(32), length: reader.u32() },
	...{ block: reader.u32(), extrinsic: reader.u32() },
});

const chunks = (reader) => ({
	...{ manifest: reader.bytes(32), root: reader.bytes(32), length: Number(reader.u64()), chunkSize: reader.u32() },
	...{ arrived: reader.u32(), block: reader.u32(), extrinsic: reader.u32(), lastBlock: reader.u32() },
});

const object = (reader) => ({
	...{ header: reader.bytes(77), length: Number(reader.u64()), root: reader.bytes(32) },
	...{ block: reader.u32(), ordinal: reader.u32() },
});

/** The kinds of payloads, in the order of their numbers. */
const PAYLOADS = Object.entries({ value, chunks, object });

/** Reads where a record's bytes are: `value`, `chunks` or `object` is set. */
function payload(reader) {
	const kind = PAYLOADS[reader.u8()];
	if (kind === undefined) throw new Malformed('the bytes of a record are of an unknown kind');
	const [name, read] = kind;
	return { [name]: read(reader) };
}

/** Reads a dataset. */
export const dataset = (reader) => ({
	...{ name: reader.blob(), epoch: reader.u32(), leaves: reader.u64(), requests: reader.u64() },
	...{ grants: reader.u64(), closed: reader.bool(), deposit: reader.u128() },
});

/**
 * Reads who controls a dataset, since which epoch, to whom it is offered, the number of the last offer, and the sums of the
 * deposits.
 */
export const control = (reader) => ({
	...{ controller: reader.bytes(32), since: reader.u32(), offeredTo: reader.option((reader) => reader.bytes(32)) },
	offers: reader.u32(),
	held: [reader.u128(), reader.u128(), reader.u128(), reader.u128()],
});

/** Reads a record. */
export const record = (reader) => ({
	...{ dataset: reader.u32(), epoch: reader.u32(), leaf: reader.u32() },
	...{ payload: payload(reader), deposit: reader.u128() },
});

/** Reads the locations of a dataset's objects. */
export const locations = (reader) => {
	const urls = reader.list((reader) => new TextDecoder().decode(reader.blob()));
	reader.u128(); // The deposit.
	return urls;
};

/** The states of a grant, in the order of their numbers. */
export const STATES = ['Active', 'Expired', 'Revoked', 'Suspended'];

/** Reads a condition that hangs on an entry. */
const attached = (reader) => ({ condition: condition(reader), deposit: reader.u128() });

/** Reads a grant. */
export const grant = (reader) => ({
	...{ owner: reader.bytes(32), grantee: reader.bytes(32), scope: scope(reader), expiry: reader.u32() },
	...{ until: reader.option((reader) => Number(reader.u64())), agreement: reader.option((reader) => reader.bytes(32)) },
	...{ code: reader.u8() },
	...{ paid: reader.u128(), paidFrom: reader.u32(), paidUntil: reader.u32(), firm: reader.bool() },
	...{ state: STATES[reader.u8()], sealedKeys: reader.blob(), depositor: reader.bytes(32) },
	...{ deposit: reader.u128(), due: reader.u32(), condition: reader.option(attached) },
});

/** Reads a request. `signed` are the bytes that its digest is computed from, after the label. */
export function request(reader) {
	const from = reader.at;
	const request = {
		...{ owner: reader.bytes(32), consumer: reader.bytes(32), scope: scope(reader), purpose: reader.blob() },
		...{ code: reader.u8() },
		...{ term: reader.u32(), offer: reader.u128(), firm: reader.bool(), key: reader.blob() },
	};
	const signed = reader.since(from);
	return { ...request, signed, validUntil: reader.u32(), deposit: reader.u128() };
}

/** Reads what has taken a leaf: the key of its record, or null if that was removed. */
export const takenLeaf = (reader) => {
	const use = reader.u8();
	if (use > 1) throw new Malformed('a leaf is taken by something of an unknown kind');
	const record = use === 0 ? reader.bytes(32) : null;
	return { record, deposit: reader.u128() };
};

/** Reads the last reports about a topic, one of each account. */
export const reports = (reader) =>
	reader.list((reader) => ({
		...{ reporter: reader.bytes(32), value: factValue(reader), observed: Number(reader.u64()) },
		...{ response: reader.bytes(32), deposit: reader.u128() },
	}));

/** Reads an account's registered encryption key. */
export const registeredKey = (reader) => ({ key: reader.blob(), deposit: reader.u128() });

/** Reads the numbers of a reader's grants on an epoch. */
export const grantsOn = (reader) => {
	const ids = reader.list((reader) => Number(reader.u64()));
	reader.u32(); // How many requests are open.
	return ids;
};

/**
 * Reads a keeper: where its copy is, its deposit, the block since which it keeps, the block of its last proof or null, the last
 * period that is counted, from how many objects the next piece is drawn, in how many periods it proved and did not prove, and in
 * how many it did not since its last proof.
 */
export const keeper = (reader) => ({
	...{ location: new TextDecoder().decode(reader.blob()), deposit: reader.u128(), since: reader.u32() },
	...{ proven: reader.option((reader) => reader.u32()), settled: reader.u32(), objects: reader.u32() },
	...{ kept: reader.u32(), missed: reader.u32(), inARow: reader.u32() },
});

/** Reads a pot: the money in it, the number of keepers, the period of the share, and the share of each keeper. */
export const pot = (reader) => ({
	...{ amount: reader.u128(), keepers: reader.u32(), period: reader.u32(), share: reader.u128() },
});
