/** Where the features of a benchmark's worker send to: takes traces and metrics at once and keeps nothing. A process of its own, which ends with its channel. */

import { createServer } from 'node:http';

const server = createServer((request, response) => {
  request.resume().once('end', () => {
    const traces = request.url === '/v1/traces';
    const type = traces ? 'application/json' : 'application/x-amz-json-1.0';
    response.writeHead(200, { 'content-type': type }).end(traces ? '{}' : undefined);
  });
});
server.listen(0, '127.0.0.1', () => process.send?.(`http://127.0.0.1:${server.address().port}`));
process.once('disconnect', () => process.exit());
