#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * Writes the seeds of the fuzz targets to fuzz/corpus: the byte strings of the test vectors, and some built
 * here. Run it after changing the vectors: `fuzz/seeds.mjs`.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const vectors = (path) => JSON.parse(readFileSync(new URL(path, root), 'utf8'));
const unhex = (text) => Buffer.from(text.replace(/^0x/, ''), 'hex');

/** Writes a target's seeds, replacing the existing ones. */
function seeds(target, list) {
	const folder = new URL(`fuzz/corpus/${target}/`, root);
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	for (const [name, bytes] of list) writeFileSync(new URL(name.replaceAll(/[^a-z0-9]+/gi, '-'), folder), bytes);
}

/** An unsigned integer of `length` bytes, little-endian. */
function little(value, length) {
	const bytes = Buffer.alloc(length);
	for (let at = 0, rest = BigInt(value); at < length; at++, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
	return bytes;
}

/** SCALE's compact integers below 2^14, the only ones in the seeds. */
const compact = (value) => (value < 64 ? Buffer.from([value << 2]) : little((value << 2) | 1, 2));
const list = (bytes) => Buffer.concat([compact(bytes.length), bytes]);
const hash = (byte) => Buffer.alloc(32, byte);

/** The SCALE-encoded header of the block with this number and these digest items. */
const header = (number, items) =>
	Buffer.concat([hash(1), compact(number), hash(2), hash(3), compact(items.length), ...items]);

// Digest items: a byte for the kind, the engine's id, and the bytes.
const item = (kind, id, bytes) => Buffer.concat([Buffer.from([kind]), Buffer.from(id), list(bytes)]);
const preDigest = (extra) =>
	item(6, 'pow_', Buffer.concat([hash(4), little(1024, 32), little(20_000_000, 8), little(1_700_000_000, 8), hash(5), list(extra)]));
const gasUsed = item(4, 'pow_', little(21_000, 8));
const seal = item(5, 'pow_', Buffer.concat([hash(6), little(7, 8)]));
const finality = item(4, 'FRNK', Buffer.from([1, 0, 0, 0, 0, 0]));

seeds('header_digest', [
	['sealed', header(7, [preDigest(Buffer.from('extra')), gasUsed, seal])],
	['with-finality-change', header(100, [preDigest(Buffer.alloc(0)), finality, gasUsed, seal])],
	['unsealed', header(7, [preDigest(Buffer.alloc(32)), gasUsed])],
	['two-seals', header(7, [preDigest(Buffer.alloc(0)), gasUsed, seal, seal])],
	['foreign-seal', header(7, [preDigest(Buffer.alloc(0)), gasUsed, item(5, 'FRNK', Buffer.alloc(3))])],
	['runtime-upgrade', header(7, [preDigest(Buffer.alloc(0)), gasUsed, Buffer.from([8]), seal])],
	['genesis', header(0, [])],
]);

/** The label of a receipt of an event, and of one of a keeper. */
const LABELS = ['isthmus/receipt-file/v1', 'isthmus/keeper-receipt/v1'].map((label) => Buffer.from(label));
/** A block, and votes for it whose signatures are none. */
const voted = (block, voters) => {
	const target = Buffer.concat([hash(8), little(7, 4)]);
	const vote = (voter) => Buffer.concat([target, Buffer.alloc(64, voter), hash(voter)]);
	const commit = Buffer.concat([target, compact(voters.length), ...voters.map(vote)]);
	return Buffer.concat([block, little(3, 8), commit, compact(1), header(6, [])]);
};
/** Steps of a proof of finality. */
const steps = (...all) => Buffer.concat([compact(all.length), ...all]);

const envelope = vectors('client/envelope/vectors.json');
const files = vectors('client/envelope/vectors-files.json');
const sharing = vectors('primitives/sharing/vectors.json');

// Proofs of finality that are read, and refused for their votes. Three bytes of each are changes to a true one.
const handover = header(10, [item(4, 'FRNK', Buffer.concat([Buffer.from([1]), compact(1), hash(5), little(1, 8), little(0, 4)]))]);
seeds('finality', [
	['no-step', Buffer.concat([steps(), Buffer.from([1])])],
	['one-step', Buffer.concat([steps(voted(header(7, []), [1, 2, 3])), Buffer.from([1])])],
	['two-steps', Buffer.concat([steps(voted(handover, [1, 2]), voted(header(20, []), [5])), Buffer.from([0])])],
	['a-changed-flag', Buffer.from([0, 0, 4])],
	['a-changed-signature', Buffer.from([1, 44, 1, 0, 90, 128])],
	['nothing-changed', Buffer.alloc(3)],
]);
// Receipts of the blocks in the vectors, without true votes.
seeds('receipt', [
	...sharing.receipts.flatMap(({ root, events }, block) => {
		const committed = item(4, 'rcpt', Buffer.concat([little(events.length, 4), unhex(root)]));
		return events.slice(0, 2).map(({ transaction, event, path }, index) => {
			const place = transaction === null ? Buffer.from([0]) : Buffer.concat([Buffer.from([1]), little(transaction, 4)]);
			const siblings = Buffer.concat([compact(path.length), ...path.map(unhex)]);
			const content = Buffer.concat([compact(0), little(index, 4), place, list(unhex(event)), siblings]);
			const votes = Buffer.concat([compact(1), list(hash(9)), steps(voted(header(7, [committed]), [1, 2, 3]))]);
			return [`block-${block}-event-${index}`, Buffer.concat([LABELS[0], header(0, []), votes, content])];
		});
	}),
	...LABELS.map((label, kind) => [`label-${kind}`, label]),
	['a-changed-event', Buffer.from([4, 0, 1])],
	['nothing-changed', Buffer.alloc(3)],
]);

/** The seeds from a list of vectors, including the rejected ones. */
const both = (good, refused, field) => [
	...good.map((vector, index) => [`valid-${index}`, unhex(vector[field])]),
	...refused.map((vector, index) => [`refused-${index}-${vector.case ?? vector.error}`, unhex(vector[field])]),
];
const small = (list) => list.filter(([, bytes]) => bytes.length <= 4096);

seeds('record_header', small(both(envelope.records, envelope.refusedRecords, 'record')));
seeds('grant', [
	...both(envelope.grants, envelope.refusedGrants, 'sealed'),
	...envelope.publicKeys.map(({ publicKey }, index) => [`public-key-${index}`, unhex(publicKey)]),
]);
seeds('manifest', small(both(sharing.manifests, sharing.refusedManifests, 'manifest')));
seeds('folder_list', small(both(files.folders, files.refusedFolders, 'bytes')));
seeds('packed_list', small(both(files.packedFolders, files.refusedPackedFolders, 'bytes')));
// Whole files, and what is read of them: all but the length and the mark at the end.
seeds('parquet', vectors('client/tables/vectors.json').files.flatMap(({ name, bytes }) => {
	const file = unhex(bytes);
	const length = file.readUInt32LE(file.length - 8);
	return [[name, file], [`${name}, described`, file.subarray(file.length - 8 - length, file.length - 8)]];
}));

/** The next length of which only the first few binary digits may be other than zero (Padmé, docs/formats.md). */
function padded(length) {
	const exponent = Math.floor(Math.log2(length));
	const unit = 2 ** (exponent - Math.floor(Math.log2(exponent)) - 1);
	return Math.ceil(length / unit) * unit;
}

/** The length of a compressed value with these frames, by compressed length and length, and its table. */
function table(frames, { descriptor = 0, total: said } = {}) {
	const hashes = 8 + 32 * frames.length;
	const needed = frames.reduce((sum, [stored]) => sum + stored, 0) + hashes + 8 + 8 + 8 * (frames.length + 2) + 9;
	const total = padded(needed);
	const entries = [...frames, [hashes, 0], [8 + total - needed, 0]];
	const content = entries.flatMap(([stored, length]) => [little(stored, 4), little(length, 4)]);
	return Buffer.concat([
		little(said ?? total, 8),
		little(0x184d2a5e, 4),
		little(8 * entries.length + 9, 4),
		...content,
		little(entries.length, 4),
		Buffer.from([descriptor]),
		little(0x8f92eab1, 4),
	]);
}

const frame = 2 ** 20;
seeds('compressed_table', [
	['empty', table([])],
	['one-byte', table([[14, 1]])],
	['several', table([[500, frame], [frame + 40, frame], [70, 9]])],
	['refused-checksums', table([[14, 1]], { descriptor: 0x80 })],
	['refused-length', table([[14, 1]], { total: 2 ** 40 })],
	['refused-long-frame', table([[2 * frame, frame], [70, 9]])],
	['refused-short-frame', table([[500, frame - 1], [70, 9]])],
]);
seeds('key_file', [
	...files.keyFiles.map(({ file }, index) => [`valid-${index}`, JSON.stringify(file)]),
	// Contents, after the salt and the number of the changed bit: a seed and an imported account.
	...files.keyFiles.map(({ seed, imported }, index) => {
		return [`contents-${index}`, Buffer.concat([Buffer.alloc(6), unhex(seed), Buffer.from(imported ?? '')])];
	}),
]);
seeds('share', [
	...envelope.shares.shares.map((share, index) => [`share-${index}`, share]),
	...envelope.seeds.map(({ words }, index) => [`words-${index}`, words]),
]);

const name = (text) => list(Buffer.from(text));
const factTest = [Buffer.from([5]), name('weather/beijing'), name('pm25'), Buffer.from([0, 4, 0]), little(75, 8)];
const condition = (...parts) => Buffer.concat(parts.flat());
seeds('condition', [
	['fact', 'fact(weather/beijing, pm25, 10m) > 75.5 and not before(2027-01-01)'],
	['text', String.raw`(fact(a, b) = "cl\u{e9}ar \"sky\"" or paid >= 5) and count < 3`],
	['accounts', `credential(0x${'01'.repeat(32)}, hospital.accredited) or granted(0x${'02'.repeat(32)}, 7)`],
	['wrong', 'fact(weather, pm25) > and before(2027-02-30)'],
	['encoded-fact', condition(factTest)],
	['encoded-tree', condition(Buffer.from([0, 8, 2, 3]), little(1_800_000_000, 8), factTest)],
	['encoded-too-deep', condition(Buffer.from([2, 2, 2, 2, 9]), little(1, 4))],
]);

const hex = (byte, length) => `0x${Buffer.alloc(length, byte).toString('hex')}`;
const { account } = files.keyFiles[0].file;
const query = { genesis: hex(1, 32), caller: account, owner: account, key: hex(2, 32), block: 9, nonce: hex(3, 16) };
seeds('signed_query', [
	...sharing.queries.map(({ message }, index) => [`message-${index}`, unhex(message)]),
	...['00', '01'].map((kind) => [`query-${kind}`, JSON.stringify({ ...query, signature: `0x${kind}${'04'.repeat(64)}` })]),
	['query-ecdsa', JSON.stringify({ ...query, signature: `0x02${'04'.repeat(65)}` })],
	['page', JSON.stringify({ ...query, signature: `0x01${'04'.repeat(64)}`, first: 3, count: 4 })],
	['short-nonce', JSON.stringify({ ...query, nonce: '0x00', signature: '0x' })],
]);

const request = (method, params, rest = { jsonrpc: '2.0' }) => JSON.stringify({ ...rest, id: 1, method, params });
seeds('miners_port', [
	['get-work', request('eth_getWork', [])],
	['submit-work', request('eth_submitWork', [hex(1, 8), hex(2, 32), hex(3, 32)])],
	['submit-work-without-version', request('eth_submitWork', [hex(1, 8), hex(2, 32), hex(3, 32)], {})],
	['hash-rate', request('eth_submitHashrate', [`0x${'500000'.padStart(64, '0')}`, hex(4, 32)])],
	['mining', request('eth_mining', undefined)],
	['batch', JSON.stringify([{ id: 1, method: 'eth_mining' }])],
	['number', '0x1f4'],
	// As a double, it would change when it is written and read again.
	['precise-id', '{"id":5.5451e-57}'],
]);

const line = (method, params, rest = {}) => `${JSON.stringify({ id: 1, method, params, ...rest })}\n`;
const niceHash = (password) =>
	line('mining.subscribe', ['miner', 'EthereumStratum/1.0.0']) + line('mining.authorize', ['rig', password]);
const ethProxy = (password) => line('eth_submitLogin', ['rig', password], { worker: 'a' });
// The first byte chooses whether the port has a secret, and the difficulty; a zero byte brings new work.
seeds('stratum', [
	['nicehash', `\u0020${niceHash('x')}${line('mining.submit', ['rig', '1', '000000000001'])}`],
	['nicehash-secret', `\u0021${niceHash('farm2026')}\u0000${line('mining.submit', ['rig', '2', '000000000002'])}`],
	['nicehash-stranger', `\u0021${niceHash('x')}`],
	['eth-proxy', `\u0020${ethProxy('x')}${line('eth_getWork', [])}${line('eth_submitWork', [hex(1, 8), hex(0, 32), hex(1, 32)])}`],
	['eth-proxy-secret', `\u0021${ethProxy('farm2026')}\u0000${line('eth_submitHashrate', ['0x1f4', hex(4, 32)])}`],
	['junk', '\u0000[]\n{}\n'],
]);
