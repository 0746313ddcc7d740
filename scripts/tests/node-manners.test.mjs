// SPDX-License-Identifier: Apache-2.0

// Tests how the node behaves when it is used by mistake: with the wrong chain, key, folder or port. It refuses, and says
// what to do. Where it can only wait, it says for what.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { Keyring } from '@polkadot/api';
import { u8aToHex } from '@polkadot/util';
import * as programs from '../lib/child.mjs';
import { freePort, LocalNode, runToEnd } from '../lib/node.mjs';
import { Rpc, until } from '../lib/rpc.mjs';
import { identities, installKeys, writeSpec } from '../lib/spec.mjs';
import { canMount, runInTerminal, runScript } from '../lib/terminal.mjs';

/** Ends hung tests, in milliseconds. */
const timeout = 600_000;
/** Silent, and on ports that no other test uses. */
const QUIET = ['--no-prometheus', '--no-telemetry', '--rpc-port', '0', '--port', '0'];
const ROOT = new URL('../../', import.meta.url);

/** Makes a folder that is removed when the test ends. */
function folder(t) {
	const path = mkdtempSync(join(tmpdir(), 'isthmus-manners-'));
	t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
	return path;
}

/** Runs the node's program, which must refuse with this sentence, and without the names of types or a panic. */
async function refuses(args, sentence) {
	const { code, stderr } = await runToEnd(args);
	assert.match(stderr, sentence);
	assert.ok(code === 1 || code === 2, `exit code ${code}`);
	assert.doesNotMatch(stderr, /^Error: \w+\(|This is a bug|stack backtrace|os error/m);
}

/** Returns the environment of scripts, in which `isthmus-node` is the node's program. */
function withProgram() {
	const PATH = [dirname(process.env.ISTHMUS_NODE ?? ''), process.env.PATH].join(delimiter);
	return { ...process.env, PATH };
}

/** Runs a script with bash in a new folder. The script may mount file systems if that is said. */
function shell(t, script, { mount = false } = {}) {
	return runScript(script, { cwd: folder(t), env: withProgram(), mount });
}

/**
 * Returns a script that starts the node in the background, sends it SIGTERM when its log has a line with these words, and
 * prints its log and its exit code.
 */
function endedAt(words, args) {
	return `
		mkfifo log
		isthmus-node ${[...args, ...QUIET].join(' ')} 2> log &
		while read -r line; do
			echo "$line"
			case $line in *'${words}'*) kill -TERM $! ;; esac
		done < log
		wait $!
		echo "exit code $?"
	`;
}

/** Starts a node that stops when the test ends. */
async function start(t, options) {
	const node = await LocalNode.start(options);
	t.after(() => node.stop());
	return node;
}

/** Resolves when the log contains a matching line; returns how many there are. */
async function logged(node, line) {
	const lines = () => readFileSync(node.logPath, 'utf8').split('\n').filter((text) => line.test(text)).length;
	await until(`the log has a line ${line}`, () => lines() > 0);
	return lines();
}

/** Writes the specification of a chain with one verifier, and returns the file's path. */
function spec(at, { name = 'chain', parameters = {}, edit } = {}) {
	return writeSpec(join(at, name), { verifiers: identities(1), parameters, edit });
}

test('names the choices if no chain is given', { timeout }, async (t) => {
	const choices = /no chain is given: add `--chain FILE`.*`--dev`.*`--chain local`/;
	const at = ['--base-path', folder(t)];
	for (const command of [[], ['purge-chain', '-y'], ['chain-info'], ['export-blocks'], ['import-blocks']]) {
		await refuses([...command, ...at], choices);
	}
	const key = ['--key-type', 'gran', '--scheme', 'ed25519', '--suri', '//Alice'];
	await refuses(['key', 'insert', ...at, ...key], choices);
	await refuses(['export-chain-spec', '--raw'], /--chain <CHAIN>/);
});

test('says what is wrong with the file of a chain specification', { timeout }, async (t) => {
	const at = folder(t);
	const file = (name, text) => {
		writeFileSync(join(at, name), text);
		return join(at, name);
	};
	const cases = [
		['my-chian.json', /there is no chain specification "my-chian\.json": expected `dev`, `local` or the path of a file/],
		[at, /the chain specification .* cannot be read: Is a directory/],
		[file('empty.json', ''), /empty\.json is not a chain specification: EOF/],
		[file('text.json', 'chain: mine\n'), /text\.json is not a chain specification: expected value at line 1/],
		[file('other.json', '{"name": "x"}'), /other\.json is not a chain specification: missing field `genesis`/],
	];
	for (const [chain, sentence] of cases) {
		await refuses(['--chain', chain, '--tmp', ...QUIET], sentence);
		await refuses(['export-chain-spec', '--chain', chain], sentence);
	}

	const { stdout } = await runToEnd(['export-chain-spec', '--chain', 'local']);
	const marked = file('marked.json', `\ufeff${stdout}`);
	const unmarked = await runToEnd(['export-chain-spec', '--chain', marked]);
	assert.equal(unmarked.code, 0, unmarked.stderr);
	assert.equal(unmarked.stdout, stdout);
	for (const mark of ['fffe', 'feff']) {
		const utf16 = file('utf-16.json', Buffer.from(`${mark}7b00`, 'hex'));
		await refuses(['--chain', utf16, '--tmp', ...QUIET], /utf-16\.json is not a chain specification: it is UTF-16: save it as UTF-8/);
	}
	const edited = (name, edit) => {
		const plain = JSON.parse(stdout);
		edit(plain.genesis.runtimeGenesis.patch);
		return file(name, JSON.stringify(plain));
	};
	const [alice] = JSON.parse(stdout).genesis.runtimeGenesis.patch.session.keys;
	const many = Array.from({ length: 101 }, (_, i) => [`a${i}`, `a${i}`, { grandpa: `g${i}` }]);
	for (const [keys, sentence] of [
		[[], /names 0 verifiers in `session\.keys`: expected 1 to 100/],
		[many, /names 101 verifiers in `session\.keys`: expected 1 to 100/],
		[[alice, alice], new RegExp(`names the account or vote key ${alice[0]} twice in \`session\\.keys\``)],
	]) {
		const chain = edited('keys.json', (genesis) => Object.assign(genesis.session, { keys }));
		await refuses(['--chain', chain, '--tmp', ...QUIET], sentence);
		await refuses(['export-chain-spec', '--chain', chain, '--raw'], sentence);
	}
	// The runtime would say only that some checksum is wrong, or that some account is there twice.
	const account = alice[0];
	const mistyped = account.replace(/.$/, (last) => (last === 'x' ? 'y' : 'x'));
	const noAddress = (named, field) =>
		new RegExp(`names "${named}" in \`${field}\`, which is not an address: it was mistyped or cut off`);
	for (const [edit, sentence] of [
		[({ balances }) => balances.balances.push([mistyped, 1]), noAddress(mistyped, 'balances\\.balances')],
		[({ balances }) => balances.balances.push([`0x${'ab'.repeat(32)}`, 1]), noAddress('0x(ab)+', 'balances\\.balances')],
		[({ session }) => { session.keys[0][2].grandpa = account.slice(1); }, noAddress(account.slice(1), 'session\\.keys')],
		[({ session }) => { session.keys[0][1] = mistyped; }, noAddress(mistyped, 'session\\.keys')],
		[({ balances }) => { balances.balances[0][1] = '1000'; }, /is not a chain specification: expected an amount in digits without quotes, .* found "1000" at line 1/],
		[({ balances }) => balances.balances.push(balances.balances[0]), /names the account \w+ twice in `balances\.balances`/],
	]) {
		const chain = edited('accounts.json', edit);
		await refuses(['--chain', chain, '--tmp', ...QUIET], sentence);
		await refuses(['export-chain-spec', '--chain', chain, '--raw'], sentence);
	}
	const change = { fromBlock: 5, minimumDifficulty: '0x400' };
	for (const [changes, plannedChanges, sentence] of [
		[[{ ...change, fromBlock: 0 }], [], /has `fromBlock` 0, but the genesis block's rules are the parameters themselves/],
		[[change, change], [], /two changes of the rules begin with block 5: put them into one/],
		[[{ ...change, ethash: 'full' }], [], /`ethash` cannot change at a height: remove it from the change/],
		[[change], [change], /the planned change from block 5 does not begin after the last one of genesis, from block 5/],
		[[], [{ fromBlock: 5, blockReward: 1 }], /names `blockReward`, which a node cannot change alone/],
		[[], [{ fromBlock: 5, minDifficulty: '0x400' }], /unknown field `minDifficulty`, expected one of `fromBlock`/],
	]) {
		const plain = JSON.parse(stdout);
		plain.genesis.runtimeGenesis.patch.proofOfWork.parameters.changes = changes;
		const chain = file('changes.json', JSON.stringify({ ...plain, plannedChanges }));
		await refuses(['export-chain-spec', '--chain', chain], sentence);
	}
	// A misspelt field would leave a rule out.
	for (const [name, field] of [
		['plannedChange', (spec) => spec],
		['runtimeGenesi', ({ genesis }) => genesis],
		['plannedChanges', ({ genesis }) => genesis.runtimeGenesis],
		['proofOfwork', ({ genesis }) => genesis.runtimeGenesis.patch],
		['changed', ({ genesis }) => genesis.runtimeGenesis.patch.proofOfWork.parameters],
	]) {
		const plain = JSON.parse(stdout);
		field(plain)[name] = [change];
		const chain = file('misspelt.json', JSON.stringify(plain));
		const sentence = new RegExp(`unknown field \`${name}\`, expected (one of )?\``);
		await refuses(['export-chain-spec', '--chain', chain, '--raw'], sentence);
		if (name === 'plannedChange') await refuses(['--chain', chain, '--tmp', ...QUIET], sentence);
	}
	// Of two forms, the framework would take one, and the checks might see the other.
	for (const [form, add] of [
		['`patch` and `config`', ({ runtimeGenesis }) => Object.assign(runtimeGenesis, { config: {} })],
		['`runtimeGenesis` and `raw`', (genesis) => Object.assign(genesis, { raw: { top: {}, childrenDefault: {} } })],
	]) {
		const plain = JSON.parse(stdout);
		add(plain.genesis);
		const chain = file('twice.json', JSON.stringify(plain));
		const sentence = new RegExp(`its genesis has both ${form}: leave one of them out`);
		await refuses(['export-chain-spec', '--chain', chain], sentence);
	}
	// As jq 1.6 writes large numbers.
	const rewritten = file('jq.json', stdout.replace(/("sessionBlocks": )\d+/, (_, name) => `${name}1e+18`));
	const number = /^error: .*jq\.json is not a chain specification: expected a whole number in digits, and found 1e\+18 at line \d+ column \d+\. A program that rewrote the file, as jq 1\.6 does, .*$/m;
	await refuses(['export-chain-spec', '--chain', rewritten, '--raw'], number);
	await refuses(['--chain', rewritten, '--tmp', ...QUIET], number);
	const wrong = edited('wrong.json', (genesis) => Object.assign(genesis.verifiers, { sessionBlocks: 'ten' }));
	const { stderr: refused } = await runToEnd(['export-chain-spec', '--chain', wrong, '--raw']);
	assert.match(refused, /^error: there is no specification to write \(.*wrong\.json\): the genesis state cannot be built .*invalid type: string "ten", expected u32$/m);
	const zero = edited('zero.json', (genesis) => Object.assign(genesis.verifiers, { sessionBlocks: 0 }));
	const length = /verifiers\.sessionBlocks is 0: a session has at least one block/;
	await refuses(['--chain', zero, '--tmp', ...QUIET], length);
	await refuses(['export-chain-spec', '--chain', zero, '--raw'], length);
	const { stderr } = await runToEnd(['--chain', zero, '--tmp', ...QUIET]);
	assert.match(stderr, /error: the genesis state cannot be built from the chain specification: /);
	assert.doesNotMatch(stderr, /error while executing at wasm backtrace/);
});

test('reads a chain specification once, and not without end', { timeout }, async (t) => {
	const at = folder(t);
	const big = join(at, 'big.json');
	writeFileSync(big, '');
	truncateSync(big, 3 * 2 ** 30);
	for (const chain of ['/dev/zero', big]) {
		await refuses(['--chain', chain, '--tmp', ...QUIET], /is larger than 128 MiB, and so it is not a chain specification/);
		await refuses(['export-chain-spec', '--chain', chain], /is larger than 128 MiB/);
	}
	const piped = await shell(t, `
		isthmus-node export-chain-spec --chain local > local.json
		isthmus-node export-chain-spec --chain <(cat local.json) > same.json
		cmp local.json same.json && echo same
		isthmus-node --tmp ${QUIET.join(' ')} --chain <(echo '{"name": "x"}')
	`);
	assert.equal(piped.stdout, 'same\n', piped.stderr);
	assert.match(piped.stderr, /\/dev\/fd\/\d+ is not a chain specification: missing field `genesis`/);
	assert.equal(piped.code, 1);

	const waiting = await shell(t, `mkfifo spec; ${endedAt('which is no regular file', ['--chain', 'spec', '--tmp'])}`);
	assert.match(waiting.stdout, /Reading the chain specification from spec, which is no regular file\n.*ended by SIGTERM/);
	assert.match(waiting.stdout, /exit code 143\n$/);
});

test('deletes its temporary folder before it says that it has stopped', { timeout }, async (t) => {
	const { stdout } = await shell(t, `export TMPDIR=$PWD; ${endedAt('💤 Idle', ['--dev'])} ls -d substrate*`);
	assert.match(stdout, /SIGTERM: the node stops[^]*deleting the temporary folder .*substrate\w+\n[^]*the node has stopped\s*\nexit code 0\n$/);
});

test('ends at once on a signal while it starts', { timeout }, async (t) => {
	const words = 'Compiling the runtime';
	// What it would do next.
	const next = /Highest known block/;
	let stdout = '';
	// If the shell is stopped until the work is done, this shows nothing, and is done again.
	for (let tries = 0; tries === 0 || (tries < 20 && next.test(stdout)); tries++) {
		({ stdout } = await shell(t, `unset ISTHMUS_RUNTIME_CACHE; ${endedAt(words, ['--dev', '--base-path', 'base'])}`));
	}
	assert.match(stdout, new RegExp(`${words}[^]*ended by SIGTERM before the work was done\nexit code 143\n$`));
});

test('keeps compiled runtimes in the folder that is named, and does without it', { timeout }, async (t) => {
	const cache = join(folder(t), 'runtimes');
	const files = () => readdirSync(join(cache, 'modules'), { recursive: true, withFileTypes: true })
		.filter((file) => file.isFile() && !file.name.endsWith('.stats'))
		.map((file) => join(file.parentPath, file.name));
	const run = async (value) => {
		const node = `ISTHMUS_RUNTIME_CACHE='${value}' isthmus-node`;
		const { code, stdout, stderr } = await shell(t, `
			: > none # It makes the database, and then finds no blocks.
			${node} import-blocks --dev --base-path base none && exit 9
			${node} chain-info --dev --base-path base
		`);
		assert.equal(code, 0, stderr);
		return JSON.parse(stdout);
	};
	const genesis = await run(cache);
	const [compiled, ...others] = files();
	assert.deepEqual(others, []);

	// Kept, and read again: a damaged file would be replaced.
	const kept = readFileSync(compiled);
	assert.deepEqual(await run(cache), genesis);
	assert.deepEqual(files(), [compiled]);
	truncateSync(compiled, Math.floor(kept.length / 2));
	assert.deepEqual(await run(cache), genesis);
	assert.deepEqual(readFileSync(compiled), kept);

	// No folder, and one that cannot be made.
	assert.deepEqual(await run(''), genesis);
	assert.deepEqual(await run('/dev/null/runtimes'), genesis);
});

test('keeps network keys secret, and never replaces one', { timeout }, async (t) => {
	const { code, stdout, stderr } = await shell(t, `
		umask 022
		make() { isthmus-node key generate-node-key "$@"; }
		make --file key
		stat -c %a key
		cp key copy
		ln -s key link
		ln -s nowhere dangling
		for file in key link dangling; do make --file $file && exit 9; done
		cmp key copy && test ! -e nowhere && echo kept
		isthmus-node key inspect-node-key --file key > /dev/null && echo readable
		at='--chain local --base-path base'
		make $at
		stat -c %a base/chains/isthmus_local/network/secret_ed25519
		make $at && exit 9
		isthmus-node key insert $at --key-type gran --scheme ed25519 --suri //Alice
		stat -c %a base/chains/isthmus_local/keystore/*
		isthmus-node export-chain-spec --chain local > spec.json
		isthmus-node key insert --chain <(cat spec.json) --base-path piped --key-type gran --scheme ed25519 --suri //Alice
		make --bin | wc -c
	`);
	assert.equal(code, 0, stderr);
	assert.deepEqual(stdout.trim().split('\n'), ['600', 'kept', 'readable', '600', '600', '32']);
	assert.equal(stderr.match(/there is a file at (key|link|dangling|base\S*secret_ed25519) already/g)?.length, 4, stderr);
	for (const base of ['base', 'piped']) {
		assert.match(stderr, new RegExp(`^the key is in the keystore ${base}/chains/isthmus_local/keystore\\. .*restart it`, 'm'));
	}

	const insert = ['key', 'insert', '--dev', '--base-path', folder(t), '--key-type', 'gran', '--scheme', 'ed25519'];
	const nowhere = ['key', 'insert', '--dev', '--key-type', 'gran', '--scheme', 'ed25519', '--suri', '//Alice'];
	await refuses(nowhere, /a new folder that no node uses: give the node's folder with `--base-path`/);
	await refuses(['key', 'inspect', 'no-such-file'], /this is neither a file with a key, nor a phrase of 12 to 24 words/);
	const absent = join(folder(t), 'secret');
	await refuses(['key', 'inspect', absent], /there is no regular file at .*secret, from which a secret could be read/);
	const producer = ['key', 'insert', '--dev', '--base-path', folder(t), '--key-type', 'prod', '--scheme', 'sr25519', '--suri', absent];
	await refuses(producer, /there is no regular file at .*secret, from which a secret could be read/);
	// No one can write a file into these, not even root.
	for (const keystore of ['/dev/null', '/proc']) {
		const unwritable = new RegExp(`the key cannot be written to the keystore ${keystore}: (it is not a folder|No such file|Permission denied).* It has to be`);
		await refuses([...insert, '--suri', '//Alice', '--keystore-path', keystore], unwritable);
	}
	await refuses([...insert, '--suri', ''], /the secret is empty: give a phrase/);
	await refuses([...insert, '--suri', 'no-such-file'], /the secret key is not valid: `--suri` .* is neither a file/);
	for (const [file, reason] of [['no-such-file', 'No such file'], ['/dev/zero', 'file too large'], ['/dev/null', 'failed to parse'], ['.', 'is a directory']]) {
		await refuses(['key', 'inspect-node-key', '--file', file], new RegExp(`the network key cannot be read from ${file}: ${reason}.*64 hexadecimal`, 'i'));
	}
	// What is typed is checked in the same way.
	const { screen } = await runInTerminal(`
		isthmus-node key insert --dev --base-path base --key-type gran --scheme ed25519
		isthmus-node key inspect
		isthmus-node key insert --dev --base-path base --key-type gran --scheme ed25519 && ls base/chains/*/keystore
	`, { cwd: folder(t), env: withProgram(), typed: [['URI: ', '\n'], ['URI: ', '/no/secret\n'], ['URI: ', '//Alice\n']] });
	assert.match(screen, /the secret is empty: give a phrase/);
	assert.match(screen, /there is no regular file at \/no\/secret/);
	assert.match(screen, /the key is in the keystore base.*\s6772616e88dc3417d5058ec4/s);
	// Where nothing can be asked, it says what to give.
	const mute = await shell(t, `
		for command in 'insert --dev --base-path base --key-type gran --scheme ed25519' inspect 'inspect --password-interactive //Alice'; do
			setsid -w isthmus-node key $command < /dev/null && exit 9
		done
		true
	`);
	assert.equal(mute.code, 0, mute.stderr);
	assert.equal(mute.stderr.match(/there is no terminal\. Give the secret/g)?.length, 3, mute.stderr);
	const endless = await shell(t, 'isthmus-node key inspect-node-key < /dev/zero');
	assert.match(endless.stderr, /cannot be read from standard input .*file too large/);
});

test('deletes a chain only if that is wanted', { timeout }, async (t) => {
	const { code, stdout, stderr } = await shell(t, `
		at='--dev --base-path base'
		database=base/chains/isthmus_dev/paritydb
		mkdir -p $database/full
		isthmus-node purge-chain $at < /dev/null && exit 9
		echo n | isthmus-node purge-chain $at && exit 9
		test -d $database && echo kept
		echo y | isthmus-node purge-chain $at && test ! -e $database && echo deleted
		# There is nothing to ask about, with and without an answer.
		for option in '' -y; do isthmus-node purge-chain $at $option < /dev/null || exit 9; done
	`);
	assert.equal(code, 0, stderr);
	assert.match(stdout, /kept\n[^]*deleted\n$/);
	assert.equal(stderr.match(/error: nothing is deleted: answer `y`, or give `-y`/g)?.length, 2, stderr);
	assert.equal(stderr.match(/there is no database in base\/chains\/isthmus_dev\/paritydb, so nothing is deleted\n/g)?.length, 2, stderr);
});

test('fails if its output is full', { timeout }, async (t) => {
	const at = '--dev --base-path base';
	for (const args of ['--version', '--help', 'key generate', 'key inspect //Alice', 'key generate-node-key', 'export-chain-spec --chain local',
		'export-chain-spec --chain dev --output spec.json', `chain-info ${at}`, `purge-chain ${at}`, `purge-chain -y ${at}`]) {
		// Without a database there would be nothing to print. An import of nothing makes one.
		const made = args.endsWith(at) ? 'isthmus-node import-blocks /dev/null --dev --base-path base 2> made;' : '';
		const { code, stderr } = await shell(t, `${made} isthmus-node ${args} > /dev/full`);
		assert.equal(code, 1, args);
		assert.match(stderr, /error: failed printing to stdout: No space left on device\n$/, args);
	}
});

test('keeps the last export if the next one fails', { timeout }, async (t) => {
	const { code, stdout, stderr } = await shell(t, `
		set -e
		isthmus-node export-chain-spec --chain dev --output spec.json
		cp spec.json good.json
		ln -s spec.json link
		(ulimit -f 1000; isthmus-node export-chain-spec --chain local --output link) && exit 1
		cmp spec.json good.json
		isthmus-node export-chain-spec --chain local --output link
		[ -L link ]
		if cmp -s spec.json good.json; then exit 2; fi
		ln -s none/spec.json away
		isthmus-node export-chain-spec --chain dev --output away && exit 1
		ls
	`);
	assert.equal(code, 0, stderr);
	assert.match(stderr, /\(away\): this is a link that leads to nothing/);
	// Nothing is left of what was not complete.
	assert.match(stdout, /\naway\ngood\.json\nlink\nspec\.json\n$/);
});

test('runs although its log cannot be written, and ends in order when its terminal closes', { timeout }, async (t) => {
	const runs = async (log) => {
		const port = await freePort();
		const TMPDIR = folder(t);
		const args = ['--dev', '--no-prometheus', '--no-telemetry', '--rpc-port', String(port), '--port', '0'];
		const node = programs.start(process.env.ISTHMUS_NODE, args, { env: { ...process.env, TMPDIR }, stdio: ['ignore', 'ignore', log] });
		t.after(() => programs.kill(node));
		// Its reader ends after the first lines, as `head` does.
		node.stderr?.once('data', () => node.stderr.destroy());
		await until('the node answers', async () => {
			assert.equal(node.exitCode, null, 'the node has ended');
			return fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok, () => false);
		});
		const client = await Rpc.connect(`ws://127.0.0.1:${port}`);
		await client.finalizedFrom(2);
		await client.disconnect();
		node.kill('SIGHUP');
		assert.deepEqual(await programs.ended(node), [0, null]);
		// The temporary chain is gone.
		assert.deepEqual(readdirSync(TMPDIR), []);
	};
	const full = openSync('/dev/full', 'w');
	t.after(() => closeSync(full));
	await runs(full);
	await runs('pipe');
});

test('fails if what it prints goes nowhere', { timeout }, async (t) => {
	for (const args of ['--version', '--help', 'key --help', 'key generate', 'key inspect //Alice', 'key generate-node-key', 'export-chain-spec --chain local', 'chain-info --dev --base-path base', 'export-blocks --dev --base-path base']) {
		const { code, stderr } = await shell(t, `isthmus-node ${args} >&-`);
		assert.equal(code, 1, args);
		assert.match(stderr, /error: stdout is closed, so nothing can be printed/, args);
	}
	// A shell's `/dev/null` is wanted, and so is a file.
	const { code, stderr } = await shell(t, 'isthmus-node key generate > /dev/null && isthmus-node key generate-node-key --file key >&-');
	assert.equal(code, 0, stderr);
});

test('names a limit of the size of files, and no signal ends it', { timeout }, async (t) => {
	const { code, stdout, stderr } = await shell(t, `
		limited() { (ulimit -f 1000; exec isthmus-node "$@"); code=$?; [ $code = 1 ] || echo "exit code $code"; }
		limited --dev --tmp ${QUIET.join(' ')}
		head -c 8 /dev/zero > none
		limited import-blocks --dev --base-path base --binary none
		limited export-chain-spec --chain local > spec.json
	`);
	assert.equal(code, 0, stderr);
	assert.equal(stdout, '');
	assert.equal(stderr.match(/^error: this process may write files of 1024000 bytes only, .*`ulimit -f unlimited`$/gm)?.length, 2, stderr);
	assert.match(stderr, /^error: .*File too large.*`ulimit -f unlimited`$/m);

	// A node that runs leaves the error to who writes, too: it catches the signal (SIGXFSZ).
	const node = await start(t, { args: ['--dev'] });
	const [, caught] = /^SigCgt:\s+(\w+)$/m.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'));
	assert.ok(BigInt(`0x${caught}`) & (1n << 24n), caught);
});

test('says how a value is written', { timeout }, async () => {
	await refuses(['--dev', '--tmp', ...QUIET, '--bootnodes', '203.0.113.7:30333'], /tip: .* \/ip4\/203\.0\.113\.7\/tcp\/30333/);
	await refuses(['--dev', '--tmp', ...QUIET, '--threads', '1e3'], /tip: a whole number is written in decimal digits only/);
});

test('refuses a real chain with a superuser, plain and raw', { timeout }, async (t) => {
	const at = folder(t);
	const sentence = /is of the type `Live` and names a superuser, .*: set `sudo\.key` to null/;
	const { stdout } = await runToEnd(['export-chain-spec', '--chain', 'local']);
	const write = (name, value) => {
		const path = join(at, name);
		writeFileSync(path, JSON.stringify(value));
		return path;
	};
	const plain = JSON.parse(stdout);
	const raw = JSON.parse((await runToEnd(['export-chain-spec', '--chain', write('local.json', plain), '--raw'])).stdout);
	for (const [name, local] of [['plain', plain], ['raw', raw]]) {
		const { chainType, ...untyped } = local;
		assert.equal(chainType, 'Local');
		await refuses(['export-chain-spec', '--chain', write(`${name}.json`, { ...local, chainType: 'Live' }), '--raw'], sentence);
		// A specification without a type is one of a real chain.
		await refuses(['--chain', write(`${name}.json`, untyped), '--tmp', ...QUIET], sentence);
	}
	plain.chainType = 'Live';
	const { patch } = plain.genesis.runtimeGenesis;
	patch.sudo.key = null;
	const convert = () => runToEnd(['export-chain-spec', '--chain', write('real.json', plain), '--raw']);
	const leftovers = await convert();
	assert.equal(leftovers.code, 0, leftovers.stderr);
	assert.match(leftovers.stderr, /^Compiling the runtime, and building the genesis state/m);
	// Values for tests, which can never be changed.
	assert.match(leftovers.stderr, /^warning: .* never be changed.*`verifiers\.upgradeDelay` 20 \(by default 50400\).*`keepers\.periodLength` 20/m);
	delete patch.verifiers;
	delete patch.dataSharing;
	delete patch.keepers;
	const { code, stderr } = await convert();
	assert.equal(code, 0, stderr);
	assert.doesNotMatch(stderr, /warning/);
});

test('refuses a raw specification that is damaged', { timeout }, async (t) => {
	const chain = join(folder(t), 'raw.json');
	const { stdout } = await runToEnd(['export-chain-spec', '--chain', 'local', '--raw']);
	const code = '0x3a636f6465';
	const damages = [
		// One digit less would be another chain.
		[(top) => { top[code] = top[code].slice(0, -1); }, /it is damaged\. Get the file again .* in the entry 0x3a636f6465 of `genesis\.raw\.top` at line 1/],
		[(top) => { top['0x123'] = '0x00'; }, /it is damaged\. .* in the entry 0x123 of/],
		[(top) => { top['0x12'] = '0x0g'; }, /it is damaged\. .* in the entry 0x12 of/],
		[(top) => { top[code] = top[code].slice(0, 2 + 2 * Math.floor(top[code].length / 5)); }, /the runtime of its genesis, which is the entry 0x3a636f6465 of `raw\.top`, is damaged: .* Get the file again/],
		[(top) => { top['0x3A636F6465'] = top[code]; }, /it is damaged\. .* has the entry 0x3a636f6465 twice/],
		[(top) => { top[code] = '0x'; }, /the runtime of its genesis, .* is damaged: /],
		[(_, raw) => { raw.childrenDefault = { '0x123': { '0x1': '0x2' } }; }, /it is damaged\. .* in the entry 0x123 of `genesis\.raw\.childrenDefault`/],
		[(_, raw) => { raw.childrenDefault = { '0x12': { '0x1': '0x02' } }; }, /it is damaged\. .* in the entry 0x1 of `genesis\.raw\.childrenDefault`/],
		// No error repeats a whole file.
		[(top) => { top['1'.repeat(2 ** 21)] = '0x00'; }, /it is damaged\. .{0,1000} \[\d+ characters are left out here\] .{0,1000} at line 1/],
		[(top) => { delete top[code]; }, /its genesis has no runtime, which is the entry 0x3a636f6465 .* Get the file again/],
	];
	for (const [damage, sentence] of damages) {
		const raw = JSON.parse(stdout);
		damage(raw.genesis.raw.top, raw.genesis.raw);
		writeFileSync(chain, JSON.stringify(raw));
		await refuses(['--chain', chain, '--tmp', ...QUIET], new RegExp(`raw\\.json is not a chain specification: ${sentence.source}`));
	}
	// Digits of either case are the same key.
	const raw = JSON.parse(stdout);
	const { [code]: runtime, ...others } = raw.genesis.raw.top;
	raw.genesis.raw.top = { ...others, '0x3A636F6465': runtime };
	writeFileSync(chain, JSON.stringify(raw));
	const taken = await runToEnd(['export-chain-spec', '--chain', chain, '--raw']);
	assert.equal(taken.code, 0, taken.stderr);
	const plain = JSON.parse((await runToEnd(['export-chain-spec', '--chain', 'local'])).stdout);
	const [[funded, amount], ...others_] = plain.genesis.runtimeGenesis.patch.balances.balances;
	const edit = (entry) => {
		plain.genesis.runtimeGenesis.patch.balances.balances = [entry, ...others_];
		writeFileSync(chain, JSON.stringify(plain));
	};
	edit(['x'.repeat(2 ** 21), amount]);
	await refuses(['--chain', chain, '--tmp', ...QUIET], /names "x{0,1000} \[\d+ characters are left out here\] x{0,1000}" in `balances\.balances`, which is not an address/);
	edit([funded, '1'.repeat(2 ** 21)]);
	await refuses(['--chain', chain, '--tmp', ...QUIET], /and found "1{0,1000} \[\d+ characters are left out here\] 1{0,1000}" at line 1/);
	edit([funded, amount]);
	plain.genesis.runtimeGenesis.code = '0x1234';
	writeFileSync(chain, JSON.stringify(plain));
	await refuses(['--chain', chain, '--tmp', ...QUIET], /raw\.json is not a chain specification: .* `runtimeGenesis\.code`, is damaged: /);
});

test('refuses a raw specification without verifiers', { timeout }, async (t) => {
	const at = folder(t);
	const chain = await spec(at);
	const raw = JSON.parse(readFileSync(chain, 'utf8'));
	// The list of GRANDPA's authorities, which the runtime reads from this key.
	const grandpa = '0x5f9cc45b7a00c5899361e1c6099678dc5e0621c4869aa60c02be9adcc98a0d1d';
	assert.ok(raw.genesis.raw.top[grandpa], 'the key of the authorities');
	raw.genesis.raw.top[grandpa] = '0x00';
	writeFileSync(chain, JSON.stringify(raw));
	await refuses(['--chain', chain, '--base-path', at, ...QUIET], /genesis names no verifier/);
	assert.ok(!existsSync(join(at, 'chains')), 'a refused genesis makes nothing');
});

test('refuses the database of another chain, with both genesis hashes', { timeout }, async (t) => {
	const basePath = folder(t);
	const chain = await spec(basePath);
	const other = await spec(basePath, { name: 'other', parameters: { genesisTimestamp: 1 } });
	const node = await start(t, { args: ['--chain', chain], basePath });
	const rpc = await Rpc.connect(node.url);
	const genesis = await rpc.hashAt(0);
	await rpc.disconnect();
	await node.stop();
	const archive = ['--chain', chain, '--base-path', folder(t), '--sync', 'warp', '--state-pruning', 'archive', ...QUIET];
	await refuses(archive, /`--sync warp` begins with a recent state, and this node is to keep all of them/);
	const sentence = new RegExp(`belongs to another chain: its genesis block is ${genesis}, .* is 0x[0-9a-f]{64}\\. .*purge-chain`);
	const at = ['--chain', other, '--base-path', basePath];
	await refuses([...at, ...QUIET], sentence);
	await refuses(['import-blocks', join(basePath, 'node.log'), ...at], sentence);
	await refuses(['export-blocks', join(basePath, 'blocks'), ...at], sentence);
	await refuses(['chain-info', ...at], sentence);
	// An import makes a database, and no network key. Nor does a start that is refused.
	const imported = folder(t);
	await runToEnd(['import-blocks', '/dev/null', '--chain', chain, '--base-path', imported]);
	await refuses(['--chain', other, '--base-path', imported, ...QUIET], sentence);
	assert.ok(!readdirSync(imported, { recursive: true }).some((name) => /network|secret_ed25519/.test(name)));
	// The same chain opens, from its plain specification, too.
	const same = ['--chain', join(basePath, 'chain', 'chain.plain.json'), '--base-path', basePath];
	const { code, stdout } = await runToEnd(['chain-info', ...same]);
	assert.equal(code, 0);
	assert.equal(JSON.parse(stdout).genesis_hash, genesis);
	await start(t, { args: same.slice(0, 2), basePath });
});

test('leaves the database and the ports of a running node alone', { timeout }, async (t) => {
	const basePath = folder(t);
	// As an editor writes it, with a line end.
	const key = join(basePath, 'node-key');
	writeFileSync(key, `${'0'.repeat(63)}1\n`);
	const node = await start(t, { args: ['--dev', '--node-key-file', key], basePath });
	const at = ['--dev', '--base-path', basePath];
	const inUse = /the database at .* is in use by a running node: stop that node/;
	await refuses(['purge-chain', '-y', ...at], inUse);
	await refuses(['chain-info', ...at], inUse);
	await refuses(['export-blocks', ...at], inUse);
	await refuses([...at, ...QUIET], inUse);

	const free = ['--dev', '--tmp', '--no-telemetry'];
	const [rpc, peers] = [String(node.port), `/ip4/127.0.0.1/tcp/${node.peerPort}`];
	const taken = (service, option) => new RegExp(`cannot listen for ${service} at 127\\.0\\.0\\.1:\\d+: Address already in use\\..*\`${option}\``);
	await refuses([...free, '--no-prometheus', '--port', '0', '--rpc-port', rpc], taken('RPC', '--rpc-port'));
	await refuses([...free, '--no-prometheus', '--rpc-port', '0', '--listen-addr', peers], taken('peers', '--listen-addr'));
	const one = String(await freePort());
	const both = [...free, '--port', '0', '--rpc-port', one, '--prometheus-port', one];
	await refuses(both, /RPC and Prometheus are both to listen at 127\.0\.0\.1:\d+: .*`--rpc-port` or `--prometheus-port`/);
	const mines = [...free, '--no-prometheus', '--port', '0', '--rpc-port'];
	for (const [option, service] of [['--miners-listen', 'getWork'], ['--stratum-listen', 'Stratum']]) {
		const shared = new RegExp(`RPC and ${service} are both to listen at 127\\.0\\.0\\.1:${one}: .*\`--rpc-port\` or \`${option}\``);
		await refuses([...mines, one, option, `0.0.0.0:${one}`], shared);
	}
	const minersOnly = [...mines, '0', '--miners-listen', `127.0.0.1:${one}`, '--stratum-listen', `127.0.0.1:${one}`];
	await refuses(minersOnly, /getWork and Stratum are both to listen at 127\.0\.0\.1:\d+: .*`--miners-listen` or `--stratum-listen`$/m);
	const metricsToo = [...free, '--rpc-port', '0', '--port', one, '--prometheus-port', one];
	await refuses(metricsToo, /Prometheus and peers are both .*`--prometheus-port` or `--port`, or turn the metrics off with `--no-prometheus`$/m);
	const equal = [...free, '--no-prometheus', '--rpc-port', '0', ...[0, 1].flatMap(() => ['--listen-addr', `/ip4/127.0.0.1/tcp/${one}`])];
	await refuses(equal, /`--listen-addr` is given twice with 127\.0\.0\.1:\d+ for peers: leave one of them out/);
	const endpoints = [0, 1].flatMap(() => ['--experimental-rpc-endpoint', `listen-addr=127.0.0.1:${one}`]);
	const again = /`--experimental-rpc-endpoint` is given twice with 127\.0\.0\.1:\d+ for RPC: leave one of them out/;
	await refuses([...free, '--no-prometheus', '--port', '0', ...endpoints], again);
	await refuses([...free, '--rpc-cors', 'https://app.example/'], /`--rpc-cors`: "https:\/\/app\.example\/" is not the origin of any page/);
	const peersAt = [...free, '--no-prometheus', '--rpc-port', '0', '--listen-addr'];
	await refuses([...peersAt, '/dns/localhost/tcp/30333'], /cannot listen for peers at \/dns\/localhost\/tcp\/30333: expected an address of this machine/);
	// An address for documents, which no machine has.
	await refuses([...peersAt, '/ip4/192.0.2.1/tcp/30333'], /cannot listen for peers at 192\.0\.2\.1:30333: .*`--public-addr`/);
	const metrics = ['--prometheus-port', rpc];
	await refuses([...free, '--rpc-port', '0', '--port', '0', ...metrics], taken('Prometheus', '--prometheus-port'));

	const client = await Rpc.connect(node.url);
	await client.finalizedFrom(2);
	await client.disconnect();
	assert.ok(readdirSync(join(basePath, 'chains', 'isthmus_dev')).includes('paritydb'));

	// It stops without a word about failures, and its database can then be exported and deleted.
	await node.stop();
	const log = readFileSync(node.logPath, 'utf8');
	assert.doesNotMatch(log, /Essential task|voter error/);
	assert.match(log, /SIGTERM: the node stops/);
	const { stdout: peer } = await runToEnd(['key', 'inspect-node-key', '--file', key]);
	assert.match(log, new RegExp(`identity is: ${peer.trim()}\\b`));
	const blocks = join(basePath, 'blocks');
	const exported = await runToEnd(['export-blocks', blocks, ...at]);
	assert.equal(exported.code, 0, exported.stderr);
	assert.doesNotMatch(exported.stderr, /Essential task|failed/);
	const printed = await runToEnd(['export-blocks', '-', ...at]);
	assert.equal(printed.stdout, readFileSync(blocks, 'utf8'));
	assert.match(printed.stderr, /Exported \d+ blocks \(\d+ bytes\) to stdout\s*$/m);
	// A pipe without another end is waited for, and that is said.
	const waits = (command, words, otherEnd) => shell(t, `
		mkfifo fifo log
		isthmus-node ${command} ${at.join(' ')} fifo 2> log &
		while read -r line; do
			echo "$line"
			case $line in *'${words}'*) [ "$said" ] || { said=1; ${otherEnd} & } ;; esac
		done < log
		wait
		[ ! -e got ] || cmp got ${blocks} && echo done
	`);
	const unread = await waits('export-blocks', 'waiting until fifo takes more', 'cat fifo > got');
	assert.match(unread.stdout, /waiting until fifo takes more, for \d+ s: 0 of \d+ blocks and 0 bytes are written, \d+ blocks remain/);
	assert.match(unread.stdout, /Exported \d+ blocks \(\d+ bytes\) to fifo\n[^]*done$/m);
	const unwritten = await waits('import-blocks', 'waiting for more blocks from fifo', `cat ${blocks} > fifo`);
	assert.match(unwritten.stdout, /waiting for more blocks from fifo, for \d+ s: [^]*Imported \d+ blocks, /);
	const { stdout: info } = await runToEnd(['chain-info', ...at]);
	assert.ok(info.endsWith('}\n'));

	// What cannot be exported or imported has a name.
	const none = join(basePath, 'none', 'blocks');
	await refuses(['export-blocks', none, ...at], /the blocks cannot be written to .*none\/blocks: No such file/);
	await refuses(['export-blocks', basePath, ...at], /the blocks cannot be written to .*: is a directory/);
	await refuses(['export-blocks', '/dev/full', ...at], /the blocks cannot be written \(\/dev\/full\): .*No space left on device/);
	await refuses(['export-blocks', '--from', '999999', ...at], /there are no blocks from `--from 999999` to `--to \d+`: the best block is \d+/);
	await refuses(['export-blocks', '--to', '99999999999', ...at], /`--to` needs the number of a block, from 0 to 4294967295/);
	await refuses(['import-blocks', none, ...at], /the blocks cannot be read from .*none\/blocks: No such file/);
	await refuses(['import-blocks', basePath, ...at], /the blocks cannot be read from .*: is a directory/);
	await refuses(['export-blocks', '--from', '0', '--to', '0', ...at], /`--to` needs 1 or more: every node has the genesis block/);
	await refuses(['import-blocks', '/dev/null', ...at], /there are no blocks in \/dev\/null: it is empty, as after an export that failed/);
	await refuses(['import-blocks', node.logPath, ...at], /Database: ParityDb at .*[^]*the blocks cannot be imported \(.*node\.log\): /);
	// A file in the other form.
	await refuses(['import-blocks', '--binary', blocks, ...at], /the blocks cannot be imported \(.*blocks\): its blocks are written as JSON: leave out `--binary`/);
	const binary = join(basePath, 'binary');
	assert.equal((await runToEnd(['export-blocks', '--binary', binary, ...at])).code, 0);
	await refuses(['import-blocks', binary, ...at], /the blocks cannot be imported \(.*binary\): .*import it with `--binary`, too/);
	// A file that was cut off: all blocks before are imported.
	for (const [file, ...form] of [[blocks], [binary, '--binary']]) {
		const purged = await runToEnd(['purge-chain', '-y', ...at]);
		assert.equal(purged.code, 0);
		assert.match(purged.stdout, /paritydb" removed/);
		const cut = join(basePath, 'cut');
		writeFileSync(cut, readFileSync(file).subarray(0, -3));
		const { code, stderr } = await runToEnd(['import-blocks', ...form, cut, ...at]);
		assert.equal(code, 1, stderr);
		const said = /block (\d+) of the input cannot be read: the input ends in it, as one that was cut off\. The (?:block|\d+ blocks) before it (?:is|are) imported; the best block is #(\d+)$/m;
		const [, position, best] = said.exec(stderr) ?? assert.fail(stderr);
		assert.equal(Number(best), Number(position) - 1);
		const { stdout } = await runToEnd(['chain-info', ...at]);
		assert.equal(JSON.parse(stdout).best_number, Number(best));
	}
	// Blocks of another chain, and those that do not begin where this one ends.
	const elsewhere = ['--chain', 'local', '--base-path', basePath];
	for (const [file, ...form] of [[blocks], [binary, '--binary']]) {
		await refuses(['import-blocks', ...form, file, ...elsewhere], /these blocks are of another chain: its genesis block is 0x[0-9a-f]{64}, and that of this chain is 0x[0-9a-f]{64}\. Give `--chain`/);
	}
	const imported = await runToEnd(['import-blocks', blocks, ...at]);
	assert.equal(imported.code, 0, imported.stderr);
	assert.doesNotMatch(imported.stderr, /Essential task|failed/);
	assert.match(imported.stderr, /Imported \d+ blocks, \d+ of which the chain had before\. Best: #/);
	const late = join(basePath, 'late');
	assert.equal((await runToEnd(['export-blocks', '--from', '2', late, ...at])).code, 0);
	await refuses(['import-blocks', late, '--dev', '--base-path', join(basePath, 'new')], /block #2, the first of the input, follows block 0x[0-9a-f]{64}, which this database does not have/);
	// Ctrl-C ends the program that writes to the pipe, too. What was read before it writes `given`: more than the pipe has room for.
	// A shell that starts a program at that moment may lose the signal, so this one becomes the program.
	const ended = await runInTerminal(`
		for again in $(seq 400); do cat ${blocks}; done > many
		{ cat many; head -c 100 many; echo given > /dev/tty; exec cat /dev/tty; } | isthmus-node import-blocks ${at.join(' ')}
		echo "exit code \${PIPESTATUS[1]}"
	`, { cwd: folder(t), env: withProgram(), typed: [['given', '\u0003', true]] });
	assert.match(ended.screen, /error: ended by SIGINT before the work was done/);
	assert.doesNotMatch(ended.screen, /cannot be read|closed channel/);
	// `-` is stdin, and no file.
	const piped = await shell(t, `isthmus-node import-blocks - ${at.join(' ')} < ${blocks} && ls -A`);
	assert.equal(piped.code, 0, piped.stderr);
	assert.doesNotMatch(piped.stdout, /^-$/m);
});

test('reads no database that is not there, and makes none', { timeout }, async (t) => {
	for (const command of ['chain-info', 'export-blocks', 'check-state']) {
		const { code, stderr, stdout } = await shell(t, `isthmus-node ${command} --dev --base-path nowhere; code=$?; [ ! -e nowhere/chains/isthmus_dev/paritydb ] && exit $code`);
		assert.equal(code, 1, stderr);
		assert.equal(stdout, '');
		assert.match(stderr, /error: there is no database at nowhere\/\S+: check `--chain` and `--base-path`/);
	}
});

test('says that its current folder is deleted', { timeout }, async (t) => {
	const { code, stdout, stderr } = await shell(t, `
		mkdir gone && cd gone && rmdir ../gone || exit 9
		for args in '--dev --base-path base ${QUIET.join(' ')}' 'chain-info --dev --base-path base' 'export-chain-spec --chain spec.json' 'key insert --chain dev --base-path base --key-type gran --scheme ed25519 --suri //Alice'; do
			isthmus-node $args
			echo "exit code $?"
		done
	`);
	assert.equal(code, 0, stderr);
	assert.equal(stdout, 'exit code 1\n'.repeat(4), stderr);
	assert.equal(stderr.match(/^error: .*\. The folder in which this command was started is deleted: change to one that exists/gm)?.length, 4, stderr);
});

test('explains a damaged database and a limit of open files', { timeout }, async (t) => {
	const { code, stderr } = await shell(t, `
		full=base/chains/isthmus_dev/paritydb/full
		mkdir -p $full
		printf xx > $full/metadata
		isthmus-node chain-info --dev --base-path base && exit 9
		for salt in '' 00 $(printf '%066d' 0); do
			printf 'version=8\nsalt=%s\n' "$salt" > $full/metadata
			isthmus-node chain-info --dev --base-path base && exit 9
			isthmus-node --dev --base-path base ${QUIET.join(' ')} && exit 9
		done
		# Without this file, the others would be taken for a new database.
		rm $full/metadata
		touch $full/table_00_1
		isthmus-node chain-info --dev --base-path base && exit 9
		isthmus-node --dev --base-path base ${QUIET.join(' ')} && exit 9
		isthmus-node purge-chain -y --dev --base-path base || exit 9
		(ulimit -n 8; exec isthmus-node --dev --base-path other ${QUIET.join(' ')}) && exit 9
		exit 0
	`);
	assert.equal(code, 0, stderr);
	assert.match(stderr, /error: the database cannot be used: .*Start the release that wrote it; or, if it is damaged, delete it with `purge-chain`/);
	assert.equal(stderr.match(/error: the database at \S+ is damaged, or a part of it was deleted: its file `metadata` is missing, cut off or changed\. .*`purge-chain`/g)?.length, 8, stderr);
	assert.doesNotMatch(stderr, /panicked/);
	assert.match(stderr, /error: .*Too many open files\. Raise the limit: `ulimit -n 10000`/);
	assert.doesNotMatch(stderr, /os error/);
});

test('says that the system starts no more threads, and does not call that a bug', { timeout }, async (t) => {
	// Root has no such limit, and another user may not enter the program's folder. That user's folder is deleted with the others.
	const { code, stdout, stderr } = await shell(t, `
		chmod 711 . && mkdir -m 777 open && export TMPDIR=$PWD/open HOME=$PWD/open
		exec 3< "$(command -v isthmus-node)"
		limited() { if [ $(id -u) = 0 ]; then setpriv --reuid 54321 --clear-groups "$@"; else "$@"; fi; }
		for threads in 1 3 6; do
			limited bash -c "ulimit -u $threads; exec /proc/self/fd/3 --dev --tmp ${QUIET.join(' ')}"
			echo "exit code $?"
		done
	`);
	assert.equal(code, 0, stderr);
	assert.equal(stdout, 'exit code 1\n'.repeat(3), stderr);
	assert.equal(stderr.match(/^error: the system starts no more threads for this process\. .*`ulimit -u`.*TasksMax/gm)?.length, 3, stderr);
	assert.doesNotMatch(stderr, /panicked|This is a bug|stack backtrace/);
});

test('does not advise to delete a database that is in order', { timeout, skip: !canMount }, async (t) => {
	const at = '--dev --base-path disk/base';
	const { code, stdout, stderr } = await shell(t, `
		mkdir disk && mount -t tmpfs none disk || exit 9
		# An import of nothing makes the database, and ends.
		isthmus-node import-blocks /dev/null ${at} 2> made
		grep -q 'there are no blocks' made || exit 8
		isthmus-node chain-info ${at} > before || exit 7
		full=disk/base/chains/isthmus_dev/paritydb/full
		all() {
			for command in chain-info 'export-blocks out' check-state 'import-blocks made' '${QUIET.join(' ')}'; do
				"$@" isthmus-node $command ${at}
				echo "exit code $?"
			done
		}
		isthmus-node chain-info --state-pruning archive ${at}
		echo "exit code $?"
		mount -o remount,ro disk || exit 6
		all
		isthmus-node purge-chain -y ${at}
		echo "exit code $?"
		mount -o remount,rw disk || exit 5
		# A file that another user made, and that this one may only read.
		chmod 400 $full/metadata
		all setpriv --bounding-set=-dac_override,-dac_read_search
		chmod 600 $full/metadata
		isthmus-node chain-info ${at} | cmp - before && echo intact
	`, { mount: true });
	assert.equal(code, 0, stderr);
	assert.match(stdout, /^(exit code 1\n){12}intact\n$/, stderr);
	assert.match(stderr, /error: `--state-pruning` differs from what the database was made with/);
	const refused = (reason) => stderr.match(new RegExp(`error: the database at \\S+ cannot be opened: ${reason}`, 'g'))?.length;
	assert.equal(refused('Read-only file system\\. Also a command that only reads'), 5, stderr);
	assert.equal(refused('Permission denied for \\S+/metadata\\. Let this user read and write it'), 5, stderr);
	assert.match(stderr, /error: the database in \S+ cannot be deleted: Read-only file system\. Nothing of it is deleted/);
	assert.doesNotMatch(stderr, /purge-chain|os error/);
});

test('names a full disk before it opens a database, instead of ending by SIGBUS', { timeout, skip: !canMount }, async (t) => {
	const at = '--dev --base-path disk/base';
	const { code, stdout, stderr } = await shell(t, `
		mkdir disk && mount -t tmpfs -o size=200m none disk || exit 9
		# An import of nothing makes the database, and ends.
		isthmus-node import-blocks /dev/null ${at} 2> made
		grep 'there are no blocks' made || exit 8
		cat /dev/zero > disk/ballast 2> full
		for command in '--db-storage-threshold 0 ${QUIET.join(' ')}' chain-info 'export-blocks out' check-state 'import-blocks made'; do
			isthmus-node $command ${at}
			echo "exit code $?"
		done
		rm disk/ballast
		isthmus-node ${at} ${QUIET.join(' ')}
		echo "exit code $?"
		isthmus-node chain-info ${at}
	`, { mount: true });
	assert.equal(code, 0, stderr);
	assert.match(stdout, /(^exit code 1\n){6}/m, stderr);
	const full = stderr.match(/error: the disk of the database at disk\/base\/\S+ has 0 MiB of free space, and the node needs 32 MiB to open it: make room/g);
	assert.equal(full?.length, 5, stderr);
	assert.match(stderr, /and the node needs 1024 MiB to open it: .*\. `--db-storage-threshold` says how many MiB have to be free/);
});

test('stops before its disk is full, and says that last', { timeout, skip: !canMount }, async (t) => {
	const { code, stdout, stderr } = await shell(t, `
		mkdir disk && mount -t tmpfs -o size=300m none disk || exit 9
		mkfifo log
		isthmus-node --dev --base-path disk/base --db-storage-threshold 64 --db-storage-polling-period 1 ${QUIET.join(' ')} 2> log &
		while read -r line; do
			echo "$line"
			case $line in *'Imported #1 '*)
				# More than 32 MiB stay: a database that is opened needs them.
				free=$(df -k --output=avail disk | tail -n 1)
				fallocate -l $((free - 48 * 1024))K disk/ballast || kill $! ;;
			esac
		done < log
		wait $!
		echo "exit code $?"
	`, { mount: true });
	assert.equal(code, 0, stderr);
	assert.match(stdout, /the disk of the database is full: the node stops\n/);
	assert.match(stdout, /\nerror: the disk of the database at disk\/base\/\S+ is full: it has \d+ MiB of free space, and below 64 MiB .*`--db-storage-threshold`[^\n]*\nexit code 1\n$/);
	assert.doesNotMatch(stdout, /Essential task/);
});

test('an import says that the disk is full, and goes on when there is room', { timeout, skip: !canMount }, async (t) => {
	const at = '--dev --base-path disk/base';
	const { code, stdout, stderr } = await shell(t, `
		mkdir disk && mount -t tmpfs -o size=300m none disk || exit 9
		mkfifo log input
		isthmus-node --dev --base-path base ${QUIET.join(' ')} 2> log &
		while read -r line; do
			case $line in *'Imported #3 '*) kill -TERM $! ;; esac
		done < log
		wait $!
		isthmus-node export-blocks --dev --base-path base blocks || exit 8
		isthmus-node import-blocks input ${at} 2> said &
		# This waits until the database is open.
		exec 3> input
		free=$(df -k --output=avail disk | tail -n 1)
		fallocate -l $((free - 16 * 1024))K disk/ballast || exit 6
		cat blocks >&3
		exec 3>&-
		wait $!
		echo "exit code $?"
		cat said >&2
		rm disk/ballast
		isthmus-node import-blocks blocks ${at} 2>&1 | grep -o 'Imported [0-9]* blocks'
	`, { mount: true });
	assert.equal(code, 0, stderr);
	assert.match(stdout, /exit code 1\nImported \d+ blocks\n$/, stderr);
	assert.match(stderr, /error: the blocks cannot be imported \(input\): the disk of the database at disk\/base\/\S+ is full: .* 32 MiB .*of the input(?:'s blocks are| is) imported; the best block is #\d+/);
	assert.doesNotMatch(stderr, /consensus error|Essential task/);
});

test('makes nothing on the disk if it is refused', { timeout }, async (t) => {
	const at = folder(t);
	const port = String(await freePort());
	const held = createServer().listen({ port: Number(port), host: '127.0.0.1' });
	t.after(() => held.close());
	await once(held, 'listening');
	const key = join(at, 'key');
	writeFileSync(key, 'no key');
	const account = identities(1)[0].account;
	const silent = ['--no-prometheus', '--no-telemetry', '--port', '0'];
	for (const [options, sentence] of [
		[['--rpc-port', port, ...silent], /cannot listen for RPC at 127\.0\.0\.1/],
		[['--mine', '--beneficiary', account, '--miners-listen', `127.0.0.1:${port}`, ...QUIET], /cannot listen for getWork at/],
		[['--mine', ...QUIET], /`--mine` needs `--beneficiary ACCOUNT`/],
		[['--mine', '--beneficiary', account, '--miners-secret-file', join(at, 'none'), '--miners-listen', '127.0.0.1:0', ...QUIET], /none`: No such file/],
		[['--stratum-listen', '127.0.0.1:0', ...QUIET], /need `--mine`/],
		[['--node-key', 'zz', ...QUIET], /Invalid node key: .*64 hexadecimal digits/],
		[['--node-key', '12', ...QUIET], /Invalid node key: .*64 hexadecimal digits.*key generate-node-key --file FILE/],
		[['--node-key-file', key, ...QUIET], /the network key in .*key cannot be used: .*64 hexadecimal digits/],
		[['--node-key-file', '/dev/zero', ...QUIET], /the network key in \/dev\/zero cannot be used: not a regular file/],
		[['--validator', ...QUIET], /needs a network key .*none at/],
		[['--keystore-path', key, ...QUIET], /the keystore cannot be opened: Not a directory/],
		[['--producer-name', 'x', '--producer-kind', 'school', ...QUIET], /`--producer-name` needs the key of the producer's account/],
		[['--producer-name', 'x', '--producer-kind', 'school', '--producer-account', account, ...QUIET], /the keystore has no `prod` key of/],
		[['--password-filename', join(at, 'none'), ...QUIET], /the password cannot be read from `--password-filename .*none`: No such file/],
		[['--sync', 'warp', '--state-pruning', 'archive', ...QUIET], /`--sync warp` begins with a recent state/],
		[['--blocks-pruning', '3', ...QUIET], /must keep at least 64 blocks/],
		[['--wasm-runtime-overrides', join(at, 'none'), ...QUIET], /`--wasm-runtime-overrides .*none`: expected a folder/],
		[['--network-backend', 'libp2p', ...QUIET], /only `--network-backend litep2p` is supported/],
		[['--stratum-difficulty', '5', ...QUIET], /--stratum-listen <ADDRESS>/],
		[['--log', 'sync=loud', ...QUIET], /"sync=loud" cannot be read: expected a target and a level, .* The levels are off, error/],
	]) {
		const basePath = join(at, 'base');
		await refuses(['--chain', 'local', '--base-path', basePath, ...options], sentence);
		assert.ok(!existsSync(basePath), `made by ${options.join(' ')}`);
	}
});

test('reads the password of a keystore from a file, without its line end', { timeout }, async (t) => {
	const { code, stdout, stderr } = await shell(t, `
		echo secret > password
		inspect() { isthmus-node key inspect "$@" //Alice | grep SS58; }
		inspect --password secret > given && inspect --password-filename password > read || exit 9
		cmp given read && inspect | cmp -s - given && exit 8
		insert() { isthmus-node key insert --chain local --base-path $1 --key-type gran --scheme ed25519 --suri //Alice "\${@:2}" && ls $1/chains/*/keystore; }
		insert one --password secret && insert two --password-filename password
		isthmus-node key generate --password-filename none
	`);
	assert.equal(code, 1, stderr);
	const [one, two] = stdout.trim().split('\n');
	assert.ok(one && one === two, stdout);
	assert.match(stderr, /error: the password cannot be read from `--password-filename none`: No such file or directory\n$/);
});

test('explains folders and keys that it cannot use', { timeout }, async (t) => {
	const at = folder(t);
	const plainFile = join(at, 'file');
	writeFileSync(plainFile, '');
	await refuses(['--dev', '--base-path', plainFile, ...QUIET], /the database at .* cannot be opened: Not a directory/);
	await refuses(['--dev', '--base-path', '/proc/isthmus', ...QUIET], /the database at \/proc\/isthmus\/.* cannot be opened: /);

	const key = join(at, 'node-key');
	for (const text of ['abc', `${'0'.repeat(65)}\n`]) {
		writeFileSync(key, text);
		const args = ['--dev', '--tmp', '--node-key-file', key, ...QUIET];
		await refuses(args, /the network key in .*node-key cannot be used: .*64 hexadecimal digits/);
	}
	for (const file of ['/dev/zero', at]) {
		await refuses(['--dev', '--tmp', '--node-key-file', file, ...QUIET], /the network key in .* cannot be used: not a regular file/);
	}
	await refuses(['--dev', '--tmp', '--miners-secret-file', '/dev/zero', ...QUIET], /`--miners-secret-file \/dev\/zero`: file too large/);
	const insert = ['key', 'insert', '--chain', 'local', '--key-type', 'gran', '--scheme', 'ed25519', '--suri', '//Alice'];
	for (const place of ['--base-path', '--keystore-path']) {
		await refuses([...insert, place, plainFile], /^error: the key cannot be written to the keystore \S+: (it is not a folder|Not a directory)\. It has to be|^error: .*Not a directory/m);
	}
	// A user who is not in the list of users, as in some containers.
	if (canMount) {
		const inserts = 'key insert --chain local --key-type gran --scheme ed25519 --suri //Alice';
		for (const command of ['chain-info --chain local', inserts, 'key generate-node-key --chain local --default-base-path']) {
			const { code, stderr } = await shell(t, `unshare -U --map-user=54321 env -u HOME isthmus-node ${command}`);
			assert.equal(code, 1, stderr);
			assert.match(stderr, /error: this user has no home folder, .*`--base-path`/);
		}
	}
	const verifier = ['--chain', 'local', '--validator', '--base-path', join(at, 'new'), ...QUIET];
	await refuses(verifier, /needs a network key .*none at .*secret_ed25519\. Create it once.*\n.*key generate-node-key --chain/);
});

test('warns of a limit of calls that makes commands wait', { timeout }, async (t) => {
	const node = await start(t, { args: ['--dev', '--rpc-rate-limit', '59'] });
	await logged(node, /`--rpc-rate-limit 59`: a client that makes more calls in a minute waits/);
});

test('refuses a vote key that cannot vote', { timeout }, async (t) => {
	const basePath = folder(t);
	const chain = await spec(basePath);
	const at = ['--chain', chain, '--base-path', basePath];
	const insert = (scheme) => ['key', 'insert', ...at, '--key-type', 'gran', '--scheme', scheme, '--suri', '//Alice'];
	await refuses(insert('sr25519'), /a key of type `gran` needs `--scheme ed25519`/);

	// Earlier releases inserted it.
	const keystore = join(basePath, 'chains', 'isthmus_local', 'keystore');
	const wrong = u8aToHex(new Keyring({ type: 'sr25519' }).addFromUri('//Alice').publicKey).slice(2);
	mkdirSync(keystore, { recursive: true });
	writeFileSync(join(keystore, `6772616e${wrong}`), '"//Alice"');
	await installKeys(chain, basePath);
	await refuses([...at, '--validator', ...QUIET], new RegExp(`vote key that cannot sign: .*6772616e${wrong}\\. .*--scheme ed25519`));
	assert.ok(!existsSync(join(dirname(keystore), 'paritydb')), 'a refused start makes no database');
	rmSync(join(keystore, `6772616e${wrong}`));

	// A key whose password is not given is not to be deleted.
	assert.equal((await runToEnd([...insert('ed25519'), '--password', 'secret'])).code, 0);
	const [secret] = readdirSync(keystore);
	const other = new RegExp(`vote key that cannot sign: the secret in .*${secret} does not make the key of that name.*--password-filename`);
	await refuses([...at, '--validator', ...QUIET], other);
	rmSync(join(keystore, secret));

	// Without any key the node runs, and says that it does not vote; with a key of no verifier, too.
	const node = await start(t, { args: ['--chain', chain, '--validator'], basePath });
	await logged(node, /`--validator` is given, but the keystore has no vote key, so this node does not vote/);
	await logged(node, /this node does not mine: blocks come from other nodes\. .*`--mine` and `--beneficiary ACCOUNT`/);
	await node.down();
	const foreign = ['--key-type', 'gran', '--scheme', 'ed25519', '--suri', '//Ferdie'];
	assert.equal((await runToEnd(['key', 'insert', ...at, ...foreign])).code, 0);
	await node.up();
	await logged(node, /this node does not vote: none of the vote keys in its keystore is that of a current verifier/);
	await node.down();
	assert.equal((await runToEnd(insert('ed25519'))).code, 0);
	const lines = await logged(node, /does not vote/);
	await node.up();
	const rpc = await Rpc.connect(node.url);
	await until('the verifier votes', async () => (await rpc.call('grandpa_roundState')).best.prevotes.missing.length === 0);
	await rpc.disconnect();
	assert.equal(await logged(node, /does not vote/), lines);
});

test('says that the chain starts in the future, once', { timeout }, async (t) => {
	const basePath = folder(t);
	const genesisTimestamp = Math.floor(Date.now() / 1000) + 86_400;
	const chain = await spec(basePath, { parameters: { genesisTimestamp } });
	const { account } = identities(1)[0];
	const node = await start(t, {
		args: ['--chain', chain, '--mine', '--threads', '0', '--beneficiary', account, '--force-authoring'],
		basePath,
	});
	await logged(node, /`--threads 0`: nothing mines unless another program calls `eth_getWork`/);
	const time = new Date(genesisTimestamp * 1000).toISOString().replace('.000Z', 'Z');
	const line = new RegExp(`the chain starts at ${time}, and this machine's clock says .*set the clock \\(NTP\\)`);
	await logged(node, line);
	// The watch looks every 5 s, as often as this line comes.
	const idle = () => readFileSync(node.logPath, 'utf8').split(line).at(-1).match(/Idle/g)?.length ?? 0;
	await until('the watch has looked again', () => idle() >= 3);
	assert.equal(await logged(node, line), 1);
});

test('every command of the image uses the same folder', () => {
	const read = (name) => readFileSync(new URL(`docker/${name}`, ROOT), 'utf8');
	const [, home] = /^ENV XDG_DATA_HOME=(\S+)$/m.exec(read('Dockerfile'));
	for (const name of ['compose.dev.yaml', 'compose.local.yaml']) {
		for (const [, path] of read(name).matchAll(/--base-path=(\S+)/g)) {
			assert.equal(path, `${home}/isthmus-node`, name);
		}
	}
});
