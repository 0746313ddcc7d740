// SPDX-License-Identifier: Apache-2.0
// What this release knows of transactions: what is signed has to be laid out like this. `layout.mjs` and `client/sdk` read it,
// both as JSON. Do not edit it: `scripts/layouts.mjs` writes it, from a running node of this release.
export default [];
