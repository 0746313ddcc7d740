// SPDX-License-Identifier: Apache-2.0

// Serves the JavaScript library to web pages as a bundler would, without one: a page imports a module of `lib` and, through an
// import map, the packages that it depends on, in the form that they have for browsers.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that is served: `scripts`. */
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What a browser takes of a package that has several forms. */
const CONDITIONS = ['browser', 'import', 'default'];

/** Returns the file of a package for browsers. */
function chosen(target) {
	if (typeof target !== 'object' || target === null) return target ?? undefined;
	if (Array.isArray(target)) return chosen(target[0]);
	const condition = Object.keys(target).find((name) => CONDITIONS.includes(name));
	return condition && chosen(target[condition]);
}

/** Returns the names by which a package is imported, and their files in it. */
function names({ name, exports, browser, module, main }) {
	if (exports === undefined) {
		return [[name, [browser, module, main].find((file) => typeof file === 'string') ?? 'index.js']];
	}
	const isOne = typeof exports === 'string' || !Object.keys(exports).some((key) => key.startsWith('.'));
	const all = isOne ? [['.', exports]] : Object.entries(exports).filter(([key]) => !key.includes('*'));
	return all.map(([key, target]) => [posix.join(name, key), chosen(target)]).filter(([, file]) => file !== undefined);
}

/** Returns the import map of all installed packages. */
export function importMap() {
	const modules = join(ROOT, 'node_modules');
	const packages = readdirSync(modules).flatMap((name) =>
		name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
	);
	const imports = packages
		.filter((name) => existsSync(join(modules, name, 'package.json')))
		.flatMap((name) => {
			const described = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
			return names({ ...described, name }).map(([by, file]) => [by, posix.join('/node_modules', name, file)]);
		});
	return { imports: Object.fromEntries(imports) };
}

/** Returns the path of the file that an import leads to: packages leave its end out. Returns undefined if there is none. */
function fileAt(path) {
	const isFile = (candidate) => statSync(join(ROOT, ...candidate.split('/')), { throwIfNoEntry: false })?.isFile();
	return [path, `${path}.js`, `${path}/index.js`].find(isFile);
}

/** How a module begins that was CommonJS. */
const WRAPPER = 'const module = { exports: {} };';

/**
 * Returns a file of `scripts` as a module for browsers. Packages that only have CommonJS are wrapped, and what they set on
 * `exports` by name is exported by that name, too, as Node.js does it.
 */
export function moduleAt(path) {
	const code = readFileSync(join(ROOT, ...path.split('/')), 'utf8');
	if (/^\s*(import|export)\b/m.test(code)) return code;
	const names = new Set([...code.matchAll(/^\s*exports\.([A-Za-z_$][\w$]*)\s*=/gm)].map(([, name]) => name));
	names.delete('default');
	const named = [...names].map((name, at) => `const value${at} = module.exports.${name};\nexport { value${at} as ${name} };`);
	const run = `((module, exports) => {\n${code}\n})(module, module.exports);`;
	return [WRAPPER, run, 'export default module.exports;', ...named, ''].join('\n');
}

/**
 * Returns what a module imports when it is loaded: names of packages, and paths from the module's own folder. What it imports
 * later, it can do without.
 */
export function importsOf(code) {
	const statements = /^\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]/gm;
	return [...code.matchAll(statements)].map(([, from, bare]) => from ?? bare);
}

/** Returns the names that a module imports from `from`, in braces. */
function namesOf(code, from) {
	const statements = /^\s*(?:import|export)\b[^'";{]*\{([^}]*)\}\s*from\s*['"]([^'"]+)['"]/gm;
	const lists = [...code.matchAll(statements)].filter(([, , path]) => path === from).map(([, list]) => list);
	return lists.flatMap((list) => list.split(',').map((name) => name.trim().split(/\s/)[0])).filter(Boolean);
}

/**
 * Returns all modules that a module of `scripts` needs in a browser, as paths, and what each imports that no browser finds.
 *
 * @param {string} path The module's path, for example `/lib/sharing.mjs`.
 */
export function needs(path) {
	const { imports } = importMap();
	const [seen, missing] = [new Set([path]), []];
	for (const at of seen) {
		const code = moduleAt(at);
		for (const from of importsOf(code)) {
			const path = from.startsWith('.') ? posix.join(posix.dirname(at), from) : imports[from];
			const found = path && fileAt(path);
			if (found) seen.add(found);
			else missing.push(`${at}: ${from}`);
			// Of a module that was CommonJS, only the names that the wrapper exports can be imported.
			const wrapped = found && moduleAt(found).startsWith(WRAPPER) && moduleAt(found);
			const absent = wrapped ? namesOf(code, from).filter((name) => !wrapped.includes(` as ${name} };`)) : [];
			missing.push(...absent.filter((name) => name !== 'default').map((name) => `${at}: ${name} of ${from}`));
		}
	}
	return { modules: [...seen], missing };
}

/**
 * Starts a server of a page and of all that it imports.
 *
 * @param {string} page The page's HTML. The import map is put before it.
 * @param {(report: string) => void} reported Receives what the page sends to `/report?`.
 */
export async function servePage(page, reported) {
	const map = `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify(importMap())}</script>`;
	const server = createServer(({ url }, response) => {
		// A URL's path has no `..` left.
		const { pathname, search } = new URL(url, 'http://localhost');
		if (pathname === '/report') reported(decodeURIComponent(search.slice(1)));
		const isModule = /^\/(lib|node_modules)\//.test(pathname);
		const file = isModule && fileAt(pathname);
		if (file && file !== pathname) {
			response.writeHead(302, { location: file }).end();
			return;
		}
		const type = isModule ? 'text/javascript' : 'text/html';
		response.writeHead(isModule && !file ? 404 : 200, { 'content-type': type });
		response.end(isModule ? file && moduleAt(file) : map + page);
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return server;
}
