// What the script rows of Node run: reads its input, answers with one line of JSON.
const event = JSON.parse(process.env.PAYLOAD);
console.log(JSON.stringify({ hello: event.name }));
