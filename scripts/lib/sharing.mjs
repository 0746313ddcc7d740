// SPDX-License-Identifier: Apache-2.0

// The steps that a program takes to share data on an Isthmus chain: register, store, request access, authorise,
// query, decrypt. `envelope.mjs` implements the keys and formats. The data-sharing pallet defines what the calls
// mean; its documentation is in the chain's metadata.
//
// The steps are in the folder `sharing/`: `connection.mjs` sends calls and waits until a block includes them,
// `proven.mjs` verifies what the node says, `records.mjs` stores, `scope.mjs` finds leaves by names and dates, `grants.mjs`
// requests and authorises, `reading.mjs` queries and decrypts.

import { Reading } from './sharing/reading.mjs';

export { CardError, LeavesError, LeavesSyntaxError } from './leaves.mjs';
export { BadProof, Malformed, NotProven } from './light/errors.mjs';
export { Receipt } from './sharing/connection.mjs';
export { cidOf, hex, keyName, recordKey } from './sharing/encoding.mjs';
export { PURPOSES, requestDigest } from './sharing/grants.mjs';
export {
	AnotherRequest,
	CallRefused,
	ConnectionLost,
	EndsTooSoon,
	NoSuchDataset,
	NotIncluded,
	OlderRuntime,
	Outdated,
	QUERY_REFUSALS,
	QueryRefused,
	Retracted,
	WrongContent,
} from './sharing/errors.mjs';

/** A connection to a node that can do every step of sharing data. Start with `Client.connect(url)`. */
export class Client extends Reading {}
