/** Standard output and error as Docker's API sends them: one stream in pieces with headers. Owns what is left of an unfinished header. */

/** The engine sends both streams as one: a header of 8 bytes (stream, three zero bytes, length, big-endian) before each piece. */
export function demultiplexer(
  onOutput: (chunk: Buffer) => void,
  onError: (chunk: Buffer) => void,
): (chunk: Buffer) => void {
  const header = Buffer.alloc(8);
  let headerBytes = 0;
  let left = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (left === 0) {
        const taken = chunk.copy(header, headerBytes, at, at + 8 - headerBytes);
        headerBytes += taken;
        at += taken;
        if (headerBytes < 8) return;
        headerBytes = 0;
        left = header.readUInt32BE(4);
        continue;
      }
      const piece = chunk.subarray(at, at + left);
      at += piece.length;
      left -= piece.length;
      if (header[0] === 2) onError(piece);
      else onOutput(piece);
    }
  };
}

/** The text of a container's log. */
export function readLog(log: Buffer): string {
  const pieces: Buffer[] = [];
  demultiplexer(
    (piece) => pieces.push(piece),
    () => {},
  )(log);
  return Buffer.concat(pieces).toString('utf8');
}
