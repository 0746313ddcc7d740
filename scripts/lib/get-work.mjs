// SPDX-License-Identifier: Apache-2.0

// Calls a node's JSON-RPC methods over HTTP, as getWork miners do.

import assert from 'node:assert/strict';

/** Calls a method; returns the whole response. */
export async function post(url, method, ...params) {
	const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
	const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
	assert.equal(response.status, 200);
	return response.json();
}

/** Calls a method; returns its result. */
export async function call(url, method, ...params) {
	const { result, error } = await post(url, method, ...params);
	assert.equal(error, undefined, `${method}: ${error?.message}`);
	return result;
}
