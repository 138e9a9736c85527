/** A bare fastify route in a process of its own, which answers every request with what its parent told it to. Owns the server. */

import fastify from 'fastify';

let answer = {};
const app = fastify();
app.post('/run', async () => answer);
process.on('message', (message) => {
  answer = message.answer;
  process.send('told');
});
process.once('disconnect', () => app.close());
// Ctrl-C reaches the whole group of processes; the parent decides.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {});
process.send({ address: await app.listen({ host: '127.0.0.1', port: 0 }) });
