// The table of docs/security.md, from outcomes made up for it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
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

test('outcomes are read line by line, and what is none is refused', () => {
	const lines = [outcome(), outcome({ held: false })];
	assert.deepEqual(parseOutcomes(`${lines.map((line) => JSON.stringify(line)).join('\n\n')}\n`), lines);
	assert.deepEqual(parseOutcomes(''), []);
	assert.throws(() => parseOutcomes(`${JSON.stringify(outcome())}\n{"attack"`), {
		name: 'ReportError',
		message: 'line 2 is no JSON: {"attack"',
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
			message: `line 7 is no outcome: "${field}" is wrong or missing`,
		});
	}
	assert.throws(() => checked(null), ReportError);
});

test('the table has a row an outcome, in its own order, and says what did not hold', () => {
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

test('figures are read as they are meant', () => {
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
	// Its ends are where the rate is so many standard deviations away.
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

test('the plot gets the races without finality, and nothing else', () => {
	const races = measured([
		outcome({ attack: 'private-fork', figures: RACE }),
		outcome({ attack: 'private-fork-final', figures: RACE }),
		outcome({ attack: 'private-fork', figures: { q: 0.3 } }),
	]);
	assert.equal(races, '{"share":0.3,"depth":2,"trials":200,"successes":88}');
});

test('a document keeps all but its table', () => {
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

test('the report counts what held', () => {
	const about = { version: 'isthmus-node 0.1.0', date: '2025-01-31' };
	assert.match(report([outcome()], about), /^Run on 2025-01-31 against isthmus-node 0\.1\.0: 1 outcomes, all as/);
	assert.match(report([outcome(), outcome({ held: false })], about), /: 2 outcomes, 1 as this page/);
});

test('docs/security.md has a place for the table', () => {
	const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
	assert.ok(withTable(page, 'new').includes(`${BEGIN}\n\nnew\n\n${END}`));
});
