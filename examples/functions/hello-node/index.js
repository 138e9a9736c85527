/** The smallest function in Node: reads its input, prints a line, and answers with JSON on its last line. */

const { readFileSync } = require('node:fs');

const event = JSON.parse(readFileSync(0, 'utf8'));
const name = event?.name ?? 'world';
console.log(`Saying hello to ${name} ...`);
console.log(JSON.stringify({ greeting: `Hello, ${name}!` }));
