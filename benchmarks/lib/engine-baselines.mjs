/** The other side: the same code through the Engine API, without NanoGrid. Owns the containers it makes, by a label. */

import { createDockerClient } from '@nanogrid/core';

const LABEL = 'nanogrid.benchmark';
/** A container that is forgotten (a killed run) ends by itself. */
const LONGEST_LIFE_S = 900;

export class EngineBaselines {
  #docker = createDockerClient(process.env.DOCKER_HOST);
  #labels = { [LABEL]: String(process.pid) };

  get docker() {
    return this.#docker;
  }

  /**
   * A container that waits for `exec`, without any limit, with these files in its working directory.
   *
   * @param {string} image
   * @param {Record<string, string>} files name to content
   */
  async warmContainer(image, files) {
    const names = Object.keys(files);
    const write = names.map((name, index) => `printf %s "$FILE_${index}" > ${name}`).join(' && ');
    const container = await this.#docker.createContainer({
      Image: image,
      Cmd: ['sh', '-c', `${write} && exec sleep ${LONGEST_LIFE_S}`],
      Env: names.map((name, index) => `FILE_${index}=${files[name]}`),
      WorkingDir: '/tmp',
      Labels: this.#labels,
      HostConfig: { AutoRemove: true, NetworkMode: 'none', Init: true },
    });
    await container.start();
    return container;
  }

  /**
   * One job by `docker exec`: exec, start, read to the end, ask for the exit code. Returns what it wrote.
   *
   * @param {import('dockerode').Container} container
   * @param {readonly string[]} command
   * @param {readonly string[]} [env]
   */
  async exec(container, command, env = []) {
    const exec = await container.exec({ Cmd: [...command], Env: [...env], AttachStdout: true, AttachStderr: true });
    const output = await readToEnd(await exec.start({ hijack: true, stdin: false }));
    const { ExitCode } = await exec.inspect();
    if (ExitCode !== 0) throw new Error(`${command.join(' ')} ended with exit code ${ExitCode}: ${output}`);
    return output;
  }

  /** One job in a container of its own: create, attach, start, wait, remove. Returns what it wrote. */
  async containerPerJob(image, command, env = []) {
    const container = await this.#docker.createContainer({
      Image: image,
      Cmd: [...command],
      Env: [...env],
      Labels: this.#labels,
      HostConfig: { NetworkMode: 'none' },
    });
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const output = readToEnd(stream);
    await container.start();
    const { StatusCode } = await container.wait();
    const text = await output;
    await container.remove();
    if (StatusCode !== 0) throw new Error(`${command.join(' ')} ended with exit code ${StatusCode}: ${text}`);
    return text;
  }

  /** Removes every container of this process. */
  async close() {
    const filters = { label: [`${LABEL}=${process.pid}`] };
    const containers = await this.#docker.listContainers({ all: true, filters });
    await Promise.all(
      containers.map(({ Id }) =>
        this.#docker
          .getContainer(Id)
          .remove({ force: true, v: true })
          .catch(() => {}),
      ),
    );
  }
}

/** The text of an attached stream: frames of 8 bytes of header and their payload. */
async function readToEnd(stream) {
  const chunks = [];
  await new Promise((resolve, reject) => {
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', resolve);
    stream.on('close', resolve);
    stream.on('error', reject);
  });
  const bytes = Buffer.concat(chunks);
  let text = '';
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    text += bytes.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}
