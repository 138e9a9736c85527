import { describe, expect, test } from 'vitest';
import { debianSuite } from './base-image.js';
import { dockerfileBases } from './dockerfile-bases.js';

describe('dockerfileBases', () => {
  test('names the base of each stage once, without scratch and without earlier stages', () => {
    const dockerfile = [
      '# FROM debian:sid-slim',
      'FROM debian:trixie-slim AS build',
      'RUN echo FROM nothing',
      'from --platform=linux/amd64 ruby:3.3 as Second',
      'FROM build AS third',
      'FROM second',
      'FROM debian:trixie-slim',
      'FROM scratch',
    ].join('\n');
    expect(dockerfileBases(dockerfile)).toEqual(['debian:trixie-slim', 'ruby:3.3']);
  });

  test('fills in ARG defaults and leaves out what stays unresolved', () => {
    const dockerfile =
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Dockerfile syntax
      'ARG SUITE="trixie"\nARG EMPTY\nFROM debian:${SUITE}-slim\nFROM $EMPTY\nFROM ${OTHER:-alpine:3}\n';
    expect(dockerfileBases(dockerfile)).toEqual(['debian:trixie-slim', 'alpine:3']);
  });

  test('reads a FROM that goes on in the next line', () => {
    expect(dockerfileBases('FROM \\\r\n# between\r\n  debian:trixie-slim \\\n AS a\nFROM a')).toEqual([
      'debian:trixie-slim',
    ]);
  });
});

describe('debianSuite', () => {
  test.each([
    ['debian:trixie-slim', 'trixie'],
    ['library/debian:bookworm-slim', 'bookworm'],
    ['debian:trixie', undefined],
    ['acme/debian:trixie-slim', undefined],
    ['debian:x;reboot-slim', undefined],
    ['ruby:3.3', undefined],
  ])('%s: %s', (image, suite) => {
    expect(debianSuite(image)).toBe(suite);
  });
});
