// SPDX-License-Identifier: Apache-2.0

// What a producer does during a soak, all of it through the `isthmus` command: it stores records and grants a reader
// access to them. A command that fails, because its node was killed or its network was split, is run again at another
// node. What the command acknowledged as finalized must be readable in the end.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from '../attack-program.mjs';
import { until } from '../rpc.mjs';
import { Client } from '../sharing.mjs';

/** The sizes of the records, in bytes: in one transaction, in one large transaction, and in several chunks. */
const SIZES = [2_000, 300_000, 2_500_000];
/** How many records are stored between two grants. */
const GRANT_EVERY = 3;
/** What each account gets from Alice, in the smallest unit. */
const FUNDS = 5_000_000_000_000_000n;
/** How long one run of the command may take, in milliseconds. It is run again then. */
const PATIENCE = 120_000;
/** How long to wait before a failed command is run again, in milliseconds. */
const PAUSE = 1_000;

/** A command failed. */
class Failed extends Error {
	name = 'Failed';
}

/** The producer, the reader, and what the chain has acknowledged. */
export class Work {
	/** The records that were stored: `{name, leaf, sha256, size}`. */
	records = [];
	/** How many of the first leaves the reader was granted. */
	granted = 0;
	/** How many grants were made, and how often a command was run again. */
	grants = 0;
	retries = 0;
	#folder;
	#random;
	#url;
	#signal;

	/**
	 * @param {object} options
	 * @param {string} options.folder The folder for files.
	 * @param {(below: number) => number} options.random
	 * @param {() => string} options.url Returns the address of a running node.
	 * @param {AbortSignal} options.signal Ends the work.
	 */
	constructor({ folder, random, url, signal }) {
		this.#folder = folder;
		this.#random = random;
		this.#url = url;
		this.#signal = signal;
	}

	/** Creates the accounts and the dataset. */
	async prepare() {
		const accounts = [];
		for (const who of ['producer', 'reader']) {
			accounts.push((await this.#run('key', 'generate', this.#path(`${who}.key`))).account);
		}
		[this.owner, this.reader] = accounts;
		await this.#fund(accounts);
		const producer = async () => {
			await this.#insist('producer', 'register', 'Soak', '--kind', 'school');
			await this.#insist('producer', 'dataset', 'create', 'soak');
		};
		await Promise.all([producer(), this.#insist('reader', 'key', 'publish')]);
		this.retries = 0;
	}

	/** Gives the accounts their funds, and waits until the finalized state has them. */
	async #fund(accounts) {
		const client = await Client.connect(this.#url());
		try {
			const { api } = client;
			const calls = accounts.map((account) => api.tx.balances.transferKeepAlive(account, FUNDS));
			await client.submit(client.account('//Alice'), api.tx.utility.batchAll(calls));
			await until('the accounts are funded', async () => {
				const state = await api.at(await api.rpc.chain.getFinalizedHead());
				const found = await state.query.system.account.multi(accounts);
				return found.every(({ data }) => data.free.toBigInt() >= FUNDS);
			});
		} finally {
			await client.disconnect();
		}
	}

	/** Stores and grants until the signal ends it. */
	async run() {
		while (!this.#signal.aborted) {
			const number = this.records.length;
			const bytes = Buffer.alloc(SIZES[this.#random(SIZES.length)]);
			for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(this.#random(2 ** 32), Math.min(at, bytes.length - 4));
			const name = `record-${number}`;
			writeFileSync(this.#path(name), bytes);
			const stored = await this.#insist('producer', 'store', this.#path(name));
			if (!stored) return;
			this.records.push({ name, key: stored.key, leaf: stored.leaf, sha256: sha256(bytes), size: bytes.length });
			if (this.records.length % GRANT_EVERY !== 0) continue;
			const leaves = stored.leaf + 1;
			const range = ['--to', this.reader, '--leaves', `0..${leaves}`];
			if (!(await this.#insist('producer', 'authorize', ...range))) return;
			[this.granted, this.grants] = [leaves, this.grants + 1];
		}
	}

	/**
	 * Reads all records as the owner, and those that were granted as the reader.
	 *
	 * @returns {Promise<string[]>} What is missing or wrong.
	 */
	async check() {
		const wrong = [];
		for (const { name, key, leaf, sha256: expected } of this.records) {
			for (const who of leaf < this.granted ? ['producer', 'reader'] : ['producer']) {
				const output = this.#path(`${name}.${who}`);
				try {
					await this.#run('fetch', this.owner, key, '--output', output, '--key', this.#path(`${who}.key`));
					if (sha256(readFileSync(output)) !== expected) wrong.push(`${name} differs for the ${who}`);
				} catch (error) {
					wrong.push(`${name} cannot be read by the ${who}: ${error.message}`);
				}
			}
		}
		return wrong;
	}

	#path(name) {
		return join(this.#folder, name);
	}

	/** Runs a command as an account, and waits until its transaction is finalized. */
	async #as(who, ...args) {
		return this.#run(...args, '--key', this.#path(`${who}.key`), '--finalized');
	}

	/** Runs a command until it succeeds. Returns `undefined` if the work ends first. */
	async #insist(...args) {
		while (!this.#signal.aborted) {
			try {
				return await this.#as(...args);
			} catch (error) {
				if (!(error instanceof Failed)) throw error;
				this.retries += 1;
				await new Promise((resolve) => setTimeout(resolve, PAUSE));
			}
		}
		return undefined;
	}

	/** Runs the command; returns the object that it prints. */
	async #run(...args) {
		const env = { ...process.env, ISTHMUS_URL: this.#url(), ISTHMUS_PASSPHRASE: 'several unrelated words', ISTHMUS_KEY: '' };
		return new Promise((resolve, reject) => {
			execFile(program('isthmus'), ['--json', ...args], { env, timeout: PATIENCE }, (error, stdout, stderr) => {
				if (error) reject(new Failed(`isthmus ${args[0]}: ${stderr.trim() || error.message}`));
				else resolve(stdout.trim() === '' ? {} : JSON.parse(stdout));
			});
		});
	}
}

function sha256(bytes) {
	return createHash('sha256').update(bytes).digest('hex');
}
