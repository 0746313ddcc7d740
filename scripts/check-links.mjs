#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Checks that every relative link in the repository's Markdown files leads to an existing file or folder, and every
// anchor to a heading. Links to other sites are not followed.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const LINK = /\[(?:[^[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s>]+)>?(?:\s+"[^"]*")?\s*\)/g;

/** Returns the text without code blocks and inline code, in which Markdown has no links. */
function prose(text) {
	return text
		.replace(/^(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1[^\n]*$/gm, (block) => block.replace(/[^\n]/g, ''))
		.replace(/(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, (code) => code.replace(/[^\n]/g, 'x'));
}

/** Returns the anchors that GitHub generates for a page's headings. */
function anchors(text) {
	const found = new Set();
	const headings = text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm);
	for (const [, heading] of headings) {
		const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
		const slug = plain.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');
		let unique = slug;
		for (let n = 1; found.has(unique); n++) unique = `${slug}-${n}`;
		found.add(unique);
	}
	return found;
}

const pages = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { cwd: ROOT, encoding: 'utf8' })
	.split('\n')
	.filter((page) => page && existsSync(join(ROOT, page)));
let links = 0;
const broken = [];
for (const page of pages) {
	const text = readFileSync(join(ROOT, page), 'utf8');
	for (const { 1: target, index } of prose(text).matchAll(LINK)) {
		if (/^[a-z][a-z0-9+.-]*:/i.test(target)) continue;
		links++;
		const [path, anchor] = target.split('#');
		const file = path ? normalize(join(ROOT, dirname(page), decodeURI(path))) : join(ROOT, page);
		const where = `${page}:${text.slice(0, index).split('\n').length}`;
		if (relative(ROOT, file).startsWith('..') || !existsSync(file)) {
			broken.push(`${where}: ${target}: there is no such file`);
		} else if (anchor && file.endsWith('.md') && !anchors(readFileSync(file, 'utf8')).has(anchor)) {
			broken.push(`${where}: ${target}: there is no such heading`);
		}
	}
}
for (const line of broken) console.error(line);
if (broken.length > 0) {
	console.error(`links: ${broken.length} broken`);
	process.exit(1);
}
console.log(`links: ${links} in ${pages.length} pages, none broken`);
