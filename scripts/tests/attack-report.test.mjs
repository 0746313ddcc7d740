// SPDX-License-Identifier: Apache-2.0

// Tests that the table in docs/security.md is written correctly, with made-up outcomes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { adversary, carryOut, NotCarriedOut } from '../lib/attack-program.mjs';
import {
	BEGIN,
	checked,
	END,
	figures,
	measured,
	parseOutcomes,
	report,
	ReportError,
	table,
	wilson,
	withTable,
} from '../lib/attack-report.mjs';

const outcome = (changes) => ({
	attack: 'replayed-grant',
	title: 'Replayed grant',
	promise: 'none',
	observed: 'It opens nothing.',
	figures: { tries: 3, opened: 0 },
	held: true,
	...changes,
});
const RACE = { q: 0.3, z: 2, trials: 200, reversals: 88, exact: 0.432, equation_3: 0.4457, finality: false };

test('outcomes are parsed line by line, and other lines are refused', () => {
	const lines = [outcome(), outcome({ held: false })];
	assert.deepEqual(parseOutcomes(`${lines.map((line) => JSON.stringify(line)).join('\n\n')}\n`), lines);
	assert.deepEqual(parseOutcomes(''), []);
	assert.throws(() => parseOutcomes(`${JSON.stringify(outcome())}\n{"attack"`), {
		name: 'ReportError',
		message: 'line 2 is not JSON: {"attack"',
	});
	for (const [field, value] of [
		['attack', 'Two Words'],
		['title', ' '],
		['promise', undefined],
		['observed', 7],
		['figures', null],
		['figures', []],
		['figures', { list: [1] }],
		['figures', { lost: NaN }],
		['held', 'yes'],
	]) {
		assert.throws(() => checked(outcome({ [field]: value }), 'line 7'), {
			name: 'ReportError',
			message: `line 7 is not an outcome: "${field}" is wrong or missing`,
		});
	}
	assert.throws(() => checked(null), ReportError);
});

test("the table has a row for each outcome, in the table's own order, and marks what did not hold", () => {
	const rows = table([
		outcome({ attack: 'new-one', title: 'New one' }),
		outcome(),
		outcome({ attack: 'flood-headers', title: 'Flood of headers' }),
		outcome({ attack: 'private-fork-final', title: 'Fork, final' }),
		outcome({ attack: 'private-fork', title: 'Fork', observed: 'a | b\nc', held: false }),
	]).split('\n');
	assert.equal(rows[0], "| attack | the paper's promise | observed | figures |");
	assert.equal(rows[2], '| Fork | none | **Not held.** a \\| b c | tries 3, opened 0 |');
	const titles = rows.slice(2).map((row) => row.split(' | ')[0].slice(2));
	assert.deepEqual(titles, ['Fork', 'Fork, final', 'Flood of headers', 'Replayed grant', 'New one']);
});

test('figures are written for people', () => {
	const of = (all) => figures({ figures: all });
	assert.equal(of({ headers: 10_000, cpuSeconds: 1.23456, peak_mib: 80.04 }), 'headers 10,000, cpu seconds 1.23, peak mib 80');
	assert.equal(of({ node: 'up', final: true }), 'node up, final true');
	assert.equal(
		of(RACE),
		'q = 0.3, z = 2: 88 of 200 reversed, 44 % (99.9 % interval 33.1 % to 55.6 %); exact 43.2 %; Eq. 3 44.6 %',
	);
	const final = { ...RACE, reversals: 0, finality: true, heavier_forks_published: 87 };
	assert.equal(of(final), 'q = 0.3, z = 2: 0 of 200 reversed, 87 forks were heavier');
});

test("Wilson's interval is the published one", () => {
	// At each end of the interval, the observed rate is exactly this number of standard deviations away.
	for (const [successes, trials] of [
		[1, 7],
		[88, 200],
		[699, 700],
	]) {
		const { low, high } = wilson(successes, trials);
		const away = (p) => (successes / trials - p) / Math.sqrt((p * (1 - p)) / trials);
		assert.ok(Math.abs(away(low) - 3.2905267314919255) < 1e-9);
		assert.ok(Math.abs(away(high) + 3.2905267314919255) < 1e-9);
	}
	assert.equal(wilson(0, 10).low, 0);
	assert.equal(wilson(10, 10).high, 1);
});

test('the plot shows only the races without finality', () => {
	const races = measured([
		outcome({ attack: 'private-fork', figures: RACE }),
		outcome({ attack: 'private-fork-final', figures: RACE }),
		outcome({ attack: 'private-fork', figures: { q: 0.3 } }),
	]);
	assert.equal(races, '{"share":0.3,"depth":2,"trials":200,"successes":88}');
});

test('a document keeps everything except its table', () => {
	const document = `before\n${BEGIN}\nold\n${END}\nafter\n`;
	const written = withTable(document, 'new');
	assert.equal(written, `before\n${BEGIN}\n\nnew\n\n${END}\nafter\n`);
	assert.equal(withTable(written, 'new'), written);
	for (const [wrong, message] of [
		['before', /has no line .*begin/],
		[`${BEGIN}`, /has no line .*end/],
		[`${BEGIN}${END}${BEGIN}`, /twice/],
		[`${END}${BEGIN}`, /ends the table before/],
	]) {
		assert.throws(() => withTable(wrong, 'new'), { name: 'ReportError', message });
	}
});

test('the report counts the defences that held', () => {
	const about = { version: 'isthmus-node 0.1.0', date: '2025-01-31' };
	assert.match(report([outcome()], about), /^Run on 2025-01-31 against isthmus-node 0\.1\.0: 1 outcomes, all as/);
	assert.match(report([outcome(), outcome({ held: false })], about), /: 2 outcomes, 1 as this page/);
});

test('docs/security.md has a place for the table', () => {
	const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
	assert.ok(withTable(page, 'new').includes(`${BEGIN}\n\nnew\n\n${END}`));
});

test('an attack that cannot be carried out does not stop the others', async () => {
	const logged = [];
	const [first, last] = [outcome({ title: 'First' }), outcome({ title: 'Last', held: false })];
	const { outcomes, failed } = await carryOut(
		[
			['one', async (report) => { report(first); throw new NotCarriedOut('no node'); }],
			['two', async (report) => report(last)],
			['three', async (report) => report({})],
		],
		(line) => logged.push(line),
	);
	assert.deepEqual(outcomes, [first, last]);
	assert.deepEqual(failed, ['one', 'three']);
	assert.match(logged.join('\n'), /held +First\n.*not carried out: NotCarriedOut: no node[^]*total +one\n.*NOT HELD +Last/);
});

/** Makes a folder of programs that only run these shell commands; returns the path of the node's program. */
function withPrograms(t, programs) {
	const folder = mkdtempSync(join(tmpdir(), 'isthmus-programs-'));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	for (const [name, script] of Object.entries(programs)) {
		writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
	}
	return join(folder, 'isthmus-node');
}

test('what an attack reported before it failed is kept', async (t) => {
	const path = withPrograms(t, { 'isthmus-adversary': `echo '${JSON.stringify(outcome())}'; echo broken >&2; exit 2` });
	const before = process.env.ISTHMUS_NODE;
	process.env.ISTHMUS_NODE = path;
	t.after(() => {
		if (before === undefined) delete process.env.ISTHMUS_NODE;
		else process.env.ISTHMUS_NODE = before;
	});
	const lines = [];
	await assert.rejects(adversary(['flood'], 60_000, (line) => lines.push(line)), {
		name: 'NotCarriedOut',
		message: 'isthmus-adversary flood exited with 2: broken',
	});
	assert.deepEqual(lines, [outcome()]);
});

test('a run in which nothing can be carried out exits with code 2, and says so', async (t) => {
	const ISTHMUS_NODE = withPrograms(t, {
		'isthmus-node': 'case "$1" in --version) echo isthmus-node 0 ;; *) exit 3 ;; esac',
		'isthmus-adversary': 'exit 3',
	});
	const script = fileURLToPath(new URL('../attack.mjs', import.meta.url));
	const env = { ...process.env, ISTHMUS_NODE };
	const { code, stdout, stderr } = await new Promise((resolve) => {
		execFile(process.execPath, [script, '--short'], { env, timeout: 600_000 }, (error, stdout, stderr) =>
			resolve({ code: error?.code ?? 0, stdout, stderr }),
		);
	});
	assert.equal(code, 2, stderr);
	assert.match(stdout, /against isthmus-node 0: 0 outcomes/);
	assert.match(stderr, /Not carried out, .*attacks on shared data, .*floods\.$/m);
});
