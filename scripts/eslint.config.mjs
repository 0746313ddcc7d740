// SPDX-License-Identifier: Apache-2.0
// What `scripts/lint` checks in the JavaScript: names that nothing defines, and names that nothing uses.
const names = (list) => Object.fromEntries(list.split(' ').map((name) => [name, 'readonly']));

export default [
	{
		files: ['**/*.mjs'],
		languageOptions: {
			ecmaVersion: 2024,
			sourceType: 'module',
			globals: names(
				'AbortController AbortSignal Buffer TextDecoder TextEncoder URL WebSocket atob clearInterval clearTimeout console crypto fetch performance process queueMicrotask setImmediate setInterval setTimeout structuredClone',
			),
		},
		rules: {
			'no-const-assign': 'error',
			'no-dupe-keys': 'error',
			'no-undef': 'error',
			'no-unreachable': 'error',
			'no-unused-vars': ['error', { args: 'after-used', ignoreRestSiblings: true }],
		},
	},
];
