// SPDX-License-Identifier: Apache-2.0

// Sends many signed transactions as fast as the nodes take them, and counts which of them blocks include.

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { Rpc } from './rpc.mjs';
import { Client } from './sharing.mjs';

/** How many transactions may be on their way to the nodes. */
const IN_FLIGHT = 200;
/** The code with which a node refuses a transaction because its pool is full. */
const POOL_FULL = 1016;
/** How long to wait before a refused transaction is sent again, in milliseconds. */
const RETRY_AFTER = 250;
/** After this many blocks without one of the awaited transactions, the missing ones are lost, unless they are in the pool. */
const BLOCKS_WITHOUT_ANY = 20;

/** A program that keeps a processor busy until its parent is gone. */
const LOOP = 'const parent = process.ppid; while (process.ppid === parent) for (let n = 0; n < 1e8; n++);';

/** Keeps this machine's processors busy until the returned function is called. */
export function keepBusy(loops = availableParallelism()) {
	const children = Array.from({ length: loops }, () => spawn(process.execPath, ['-e', LOOP], { stdio: 'ignore' }));
	return () => children.forEach((child) => child.kill('SIGKILL'));
}

/**
 * Signs calls of several accounts in advance.
 *
 * @param {Client} client A connection to the chain.
 * @param {string[]} secrets The accounts' secrets.
 * @param {number} each How many transactions to sign for each account.
 * @param {(index: number, account: number) => object} call Returns the call with this index of the account with this
 * index.
 * @returns {{address: string, first: number, signed: string[]}[]} For each account its address, its first nonce and its
 * transactions in hex, in the order of their nonces. They are immortal, so that they are valid on every fork.
 */
export async function sign(client, secrets, each, call) {
	const { api } = client;
	const { genesisHash, runtimeVersion } = api;
	const batches = [];
	for (const [number, secret] of secrets.entries()) {
		const account = client.account(secret);
		const first = (await api.rpc.system.accountNextIndex(account.address)).toNumber();
		const signed = Array.from({ length: each }, (_, index) => {
			const options = { nonce: first + index, era: 0, blockHash: genesisHash, genesisHash, runtimeVersion };
			return call(index, number).sign(account, options).toHex();
		});
		batches.push({ address: account.address, first, signed });
	}
	return batches;
}

/** Gives each of these accounts the same amount, from one that has enough. */
export async function fund(client, rich, secrets, amount) {
	const { balances, utility } = client.api.tx;
	const calls = secrets.map((secret) => balances.transferKeepAlive(client.account(secret).address, amount));
	// A chain without `utility` takes them one by one.
	if (utility) await client.submit(client.account(rich), utility.batchAll(calls));
	else for (const call of calls) await client.submit(client.account(rich), call);
}

/**
 * Submits transactions round robin: the first of each account, then the second of each. A transaction that is refused
 * because the pool is full is sent again until the node takes it.
 *
 * @param {Rpc[]} nodes Each account uses one node, the first account the first node, and so on in turn.
 * @returns {Promise<{accepted: number, refused: number, seconds: number}>} How many were answered with a hash, and how
 * often a full pool refused one.
 */
export async function submit(nodes, batches) {
	const queue = [];
	for (let index = 0; index < batches[0].signed.length; index++) {
		for (const [account, { signed }] of batches.entries()) queue.push([nodes[account % nodes.length], signed[index]]);
	}
	const started = performance.now();
	let [next, accepted, refused] = [0, 0, 0];
	const worker = async () => {
		while (next < queue.length) {
			const [node, transaction] = queue[next++];
			for (;;) {
				try {
					await node.call('author_submitExtrinsic', transaction);
					accepted++;
					break;
				} catch (error) {
					if (error.code !== POOL_FULL) throw error;
					refused++;
					await pause(RETRY_AFTER);
				}
			}
		}
	};
	await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
	return { accepted, refused, seconds: (performance.now() - started) / 1000 };
}

/**
 * Waits until the best chain of a node includes all transactions of `batches`, or none of them for many blocks.
 *
 * @returns {Promise<{missing: number, seconds: number}>} How many are missing in the end, and how long it took.
 */
export async function included(url, batches) {
	const client = await Client.connect(url);
	const rpc = await Rpc.connect(url);
	const started = performance.now();
	try {
		const missing = async () => {
			const accounts = await client.api.query.system.account.multi(batches.map(({ address }) => address));
			return batches.reduce((sum, { first, signed }, index) => sum + first + signed.length - accounts[index].nonce.toNumber(), 0);
		};
		let left = await missing();
		let { number: seen } = await rpc.best();
		let progress = seen;
		const isPending = async () => (await rpc.call('author_pendingExtrinsics')).length > 0;
		while (left > 0 && (seen < progress + BLOCKS_WITHOUT_ANY || (await isPending()))) {
			({ number: seen } = await rpc.bestFrom(seen + 1));
			const now = await missing();
			if (now !== left) progress = seen;
			left = now;
		}
		return { missing: left, seconds: (performance.now() - started) / 1000 };
	} finally {
		await rpc.disconnect();
		await client.disconnect();
	}
}
