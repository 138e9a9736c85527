// What the row of the kept handler in Node runs.
exports.handler = async (event) => ({ hello: event.name });
