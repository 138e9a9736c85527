import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDockerClient, type ImageProgress, ImageStore } from '@nanogrid/core';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';

const docker = createDockerClient(undefined);
const name = `nanogrid-test/images-${process.pid}`;
let context: string;

const source = {
  name: 'images-test',
  get image() {
    return { name, context };
  },
};
const writeDockerfile = (text: string): Promise<void> => writeFile(join(context, 'Dockerfile'), text);
const imageExists = async (image: string): Promise<boolean> =>
  (await docker.listImages({ filters: { reference: [image] } })).length > 0;

/** Another worker of the machine may be installing one at this moment. */
async function noInstaller(): Promise<void> {
  const label = ['nanogrid.role=supervisor-installer'];
  await expect.poll(() => docker.listContainers({ all: true, filters: { label } })).toEqual([]);
}

async function removeTestImages(): Promise<void> {
  for (const image of await docker.listImages({ filters: { reference: [name] } })) {
    await docker.getImage(image.Id).remove({ force: true });
  }
}

beforeEach(async () => {
  context = await mkdtemp(join(tmpdir(), 'nanogrid-images-'));
});
afterEach(async () => {
  await removeTestImages();
  await rm(context, { recursive: true, force: true });
});

describe('a runtime whose image is built from a folder', () => {
  test('is built once for callers at the same time, labelled, and then found', async () => {
    // A step that differs each time, so that the engine's cache cannot answer for a second build.
    await writeFile(join(context, 'marker'), `${process.pid} ${Date.now()}`);
    await writeDockerfile('FROM scratch\nCOPY marker /marker\nENV A=1\n');
    const store = new ImageStore(docker);
    const heard: ImageProgress[][] = [[], []];
    expect((await store.status(source)).id).toBeUndefined();
    const [first, second] = await Promise.all(
      heard.map((events) => store.ensure(source, { onProgress: (progress) => events.push(progress) })),
    );
    expect(first).toEqual(second);
    expect(first?.tag).toMatch(new RegExp(`^${name}:[0-9a-f]{12}$`));
    // Both callers hear the same events: a second build would say its first step again.
    const firstSteps = heard.flat().filter((progress) => progress.message === 'FROM scratch');
    expect(firstSteps.length).toBeGreaterThan(0);
    expect(new Set(firstSteps).size).toBe(1);
    const steps = heard[0]?.filter(({ message }) => message === 'COPY marker /marker');
    expect(steps).toMatchObject([{ image: first?.tag, step: 'build', current: 2, total: expect.any(Number) }]);
    const { Config } = await docker.getImage(first?.tag ?? '').inspect();
    expect(Config.Labels).toMatchObject({ 'nanogrid.image': '1', 'nanogrid.runtime': 'images-test' });

    const again: ImageProgress[] = [];
    expect(await store.ensure(source, { onProgress: (progress) => again.push(progress) })).toEqual(first);
    expect(again).toEqual([]);
    expect((await store.status(source)).id).toBe(first?.id);
  });

  test('is built anew, past the cache, when asked to', async () => {
    await writeDockerfile('FROM debian:trixie-slim\nRUN date +%s%N > /built\n');
    const store = new ImageStore(docker);
    const first = await store.ensure(source);
    const second = await store.ensure(source, { rebuild: true });
    expect(second.tag).toBe(first.tag);
    expect(second.id).not.toBe(first.id);
    await docker.getImage(first.id).remove({ force: true });
  });

  test('that fails says at which step and why, and leaves no image', async () => {
    await writeDockerfile('FROM debian:trixie-slim\nRUN echo "cannot find the thing" >&2 && exit 7\n');
    const failure = await new ImageStore(docker).ensure(source).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'NG_IMAGE_FAILED', hint: expect.stringContaining(context) });
    const { message } = failure as Error;
    expect(message).toMatch(/could not be built at the step `RUN echo "cannot find the thing"/);
    expect(message).toContain('non-zero code: 7');
    expect(message).toMatch(/\n {2}cannot find the thing$/);
    expect(await imageExists(name)).toBe(false);
  });

  test('with a Dockerfile that is none says so', async () => {
    await writeDockerfile('FORM debian\n');
    await expect(new ImageStore(docker).ensure(source)).rejects.toMatchObject({
      code: 'NG_IMAGE_FAILED',
      message: expect.stringContaining('unknown instruction: FORM'),
    });
  });

  test('stops when it is told to, leaving no image', async () => {
    await writeDockerfile('FROM debian:trixie-slim\nRUN echo begun && sleep 600\n');
    const abort = new AbortController();
    const onProgress = ({ message }: ImageProgress): void => {
      if (message === 'begun') abort.abort(new Error('enough'));
    };
    await expect(new ImageStore(docker).ensure(source, { onProgress, signal: abort.signal })).rejects.toThrow('enough');
    expect(await imageExists(name)).toBe(false);
    // The engine notices the closed connection and stops the step.
    const building = async (): Promise<number> =>
      (await docker.listContainers()).filter(({ Command }) => Command.includes('echo begun')).length;
    await expect.poll(building, { interval: 100 }).toBe(0);
  });
});

describe('an image that is somewhere else', () => {
  test('fails with the name of the image where nobody has it', async () => {
    const image = `localhost:1/${name}:none`;
    await expect(new ImageStore(docker).ensure({ name: 'x', image })).rejects.toMatchObject({
      code: 'NG_IMAGE_FAILED',
      message: expect.stringContaining(`The image ${image} could not be pulled: `),
    });
  });

  test('fails as unreachable where no engine answers', async () => {
    const store = new ImageStore(createDockerClient(`unix://${join(context, 'none.sock')}`));
    await expect(store.ensure({ name: 'x', image: 'x' })).rejects.toMatchObject({ code: 'NG_DOCKER_UNAVAILABLE' });
    await expect(store.ensureSupervisor()).rejects.toMatchObject({ code: 'NG_DOCKER_UNAVAILABLE' });
  });
});

describe('a base image that is missing', () => {
  const base = 'debian:bookworm-slim';
  let madeHere = false;
  afterAll(async () => {
    if (madeHere) await docker.getImage(base).remove({ force: true });
  });

  // Where no registry answers it is made of packages.
  test('is pulled or made, once for all that need it; an attempt that was stopped leaves nothing', {
    timeout: 900_000,
  }, async () => {
    madeHere = !(await imageExists(base));
    await writeDockerfile(
      `FROM ${base}\nRUN grep -q bookworm /etc/os-release && test -f /usr/share/doc/bash/copyright\n`,
    );
    const store = new ImageStore(docker);
    if (madeHere) {
      const abort = new AbortController();
      let base = 0;
      const onProgress = ({ step }: ImageProgress): void => {
        if (step === 'base') base += 1;
        // Where no registry answers: well into the making of it.
        if (base === 4 || step === 'build') abort.abort(new Error('enough'));
      };
      await expect(store.ensure(source, { onProgress, signal: abort.signal })).rejects.toThrow('enough');
    }
    const { id } = await store.ensure(source);
    expect(id).toMatch(/^sha256:/);
    expect(await imageExists(base)).toBe(true);
  });
});

describe('the supervisor', () => {
  test('is installed once, and again when asked to, leaving no container', async () => {
    const store = new ImageStore(docker);
    const [first, second] = await Promise.all([store.ensureSupervisor(), new ImageStore(docker).ensureSupervisor()]);
    expect(second).toEqual(first);
    const forced = await Promise.all([
      store.ensureSupervisor({ force: true }),
      new ImageStore(docker).ensureSupervisor({ force: true }),
    ]);
    expect(forced).toEqual([first, first]);
    const { Labels } = await docker.getVolume(first.name).inspect();
    expect(Labels).toEqual({ 'nanogrid.role': 'supervisor' });
    await noInstaller();
  });

  test('whose installation was cut short is installed again', async () => {
    const store = new ImageStore(docker);
    const { name: volume } = await store.ensureSupervisor();
    // This version's: another one on the machine would leave its own program in the volume.
    const image = `nanogrid/supervisor:${volume.split('-').at(-1)}`;
    // What a worker leaves behind that is killed between making the container and starting it.
    await docker.createContainer({
      name: `${volume}-installer`,
      ...(image !== undefined && { Image: image }),
      Cmd: ['install', '/target'],
      Labels: { 'nanogrid.role': 'supervisor-installer' },
      HostConfig: { NetworkMode: 'none', Mounts: [{ Type: 'volume', Source: volume, Target: '/target' }] },
    });
    expect(await store.ensureSupervisor()).toEqual({ name: volume });
    await noInstaller();
  });
});
