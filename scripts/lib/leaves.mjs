// SPDX-License-Identifier: Apache-2.0

// Leaves as people ask for them: by numbers, or by the names and dates in a dataset's card, such as `2026-03..2026-05`. This is a
// second implementation of `client/sdk/src/leaves.rs` and of what `client/tables/src/card.rs` reads; both are tested with
// `client/sdk/vectors-leaves.json` and `client/tables/vectors-cards.json`.
//
//     const leaves = parseLeaves('2026-03..2026-05');
//     const card = readCard(bytes, owner, dataset);
//     new LeafNames(card.leaves, card.epoch).find(leaves.from, leaves.to); // [2, 5]
//
// `Client.scope` does this with a card whose hash is on the chain.

export { CardError, readCard } from './leaves/card.mjs';
export { LeavesError, LeavesSyntaxError } from './leaves/errors.mjs';
export { LeafNames } from './leaves/names.mjs';
export { parseLeaves } from './leaves/parser.mjs';
