/** Functions that are compiled, builds that misbehave, and a runtime whose builds are shell scripts. Owns no state. */

import { readdirSync, readFileSync } from 'node:fs';
import { defineRuntime } from '@nanogrid/core';
import { cpp } from '@nanogrid/runtime-cpp';

/** A runtime whose build is a script of the function's own, with little memory and more time than any of them needs. */
export const maker = defineRuntime({
  name: 'maker',
  image: 'debian:trixie-slim',
  entrypoints: ['build.sh'],
  build: { command: ['sh', '{entrypoint}'], timeoutMs: 60_000, memoryMb: 160, env: { COLOUR: 'blue' } },
  run: ['sh', './main.sh'],
  pool: { size: 1 },
});

/** The same with a time limit that is soon over. */
export const hasty = defineRuntime({
  ...maker,
  name: 'hasty-maker',
  build: { command: ['sh', '{entrypoint}'], timeoutMs: 3_000, memoryMb: 160 },
  pool: { size: 0 },
});

const { image, build, ...rest } = cpp({ poolSize: 0 });
if (typeof image === 'string' || build === undefined) throw new Error('the runtime builds its image and its programs');

/** The same compiler with little memory. */
export const smallCpp = defineRuntime({
  ...rest,
  name: 'cpp-small',
  aliases: [],
  image: { ...image, name: 'nanogrid/cpp' },
  build: { ...build, memoryMb: 96 },
});

/** Several files, a header, and a data file that the program reads. */
export const CPP_FUNCTION = {
  'main.cpp': `#include <fstream>
#include <iostream>
#include "part.h"
int main() {
  std::ifstream data("folder/data.txt");
  std::string word;
  data >> word;
  std::cout << "{\\"word\\": \\"" << word << "\\", \\"twice\\": " << twice(21) << "}\\n";
  return std::ifstream("part.cpp").good() ? 3 : 0;
}`,
  'part.cpp': '#include "part.h"\nint twice(int n) { return 2 * n; }\n',
  'part.h': 'int twice(int n);\n',
  'folder/data.txt': 'beside\n',
};

/** A package of its own, a vendored module, an embedded file, and one that is read. */
export const GO_FUNCTION = {
  'go.mod': 'module example.test/function\n\ngo 1.22\n\nrequire example.test/far v1.2.3\n',
  'main.go': `package main

import (
	_ "embed"
	"fmt"
	"os"

	"example.test/far"
	"example.test/function/near"
)

//go:embed embedded.txt
var embedded string

func main() {
	data, err := os.ReadFile("data.txt")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q\\n", []string{far.Word(), near.Word(), embedded, string(data)})
}`,
  'near/near.go': 'package near\n\nfunc Word() string { return "near" }\n',
  'vendor/modules.txt': '# example.test/far v1.2.3\n## explicit; go 1.22\nexample.test/far\n',
  'vendor/example.test/far/far.go': 'package far\n\nfunc Word() string { return "far" }\n',
  'embedded.txt': 'embedded',
  'data.txt': 'data',
};

/** A compile-time bomb: each level doubles what is to be instantiated. */
export const TEMPLATE_BOMB = `template <int Depth, long long Path> struct Bomb {
  Bomb<Depth - 1, Path * 2> left;
  Bomb<Depth - 1, Path * 2 + 1> right;
};
template <long long Path> struct Bomb<0, Path> { char byte[Path % 7 + 1]; };
int main() { return (int)sizeof(Bomb<30, 1>); }
`;

/** Builds that misbehave: what the script does, the code the job must end with, and what its message says; `NG_TIMEOUT` where `hasty` builds. */
export const HOSTILE_BUILDS: readonly (readonly [what: string, script: string, code: string, message: RegExp])[] = [
  ['hangs', 'trap "" TERM; sleep 60', 'NG_TIMEOUT', /^the build ran longer than its limit of 3000 ms$/],
  ['takes all memory', 'tail /dev/zero', 'NG_OUT_OF_MEMORY', /^the build used more memory than its limit of 160 MiB$/],
  ['forks without end', 'bomb() { bomb | bomb & }; bomb; sleep 30', 'NG_TIMEOUT', /^the build ran longer/],
  ['fills the disk', 'dd if=/dev/zero of=/tmp/x bs=1M; exit 1', 'NG_BUILD_FAILED', /No space left on device/],
  ['fails without a word', 'exit 7', 'NG_BUILD_FAILED', /^the build ended with exit code 7$/],
  ['is ended by a signal', 'kill -SEGV $$', 'NG_BUILD_FAILED', /^the build was ended by SIGSEGV$/],
  ['leaves nothing', 'mkdir /output/empty', 'NG_BUILD_FAILED', /^the build left nothing in \/output$/],
  ['leaves a link', 'ln -s /etc/passwd /output/main.sh', 'NG_BUILD_FAILED', /"main.sh": a symbolic link/],
  [
    'leaves a link beside files',
    'echo > /output/a; ln /output/a /output/b; mkfifo /output/c',
    'NG_BUILD_FAILED',
    /"c": not/,
  ],
  [
    'leaves too many files',
    'cd /output; for i in $(seq 21); do echo > $i; done',
    'NG_BUILD_FAILED',
    /more than 20 files/,
  ],
  ['leaves too much', 'head -c 9000000 /dev/zero > /output/x', 'NG_BUILD_FAILED', /larger than 8388608 bytes/],
  ['leaves a name with a line end', 'echo > "/output/a\nb"', 'NG_BUILD_FAILED', /control characters/],
  ['leaves twins', 'echo > /output/a; echo > /output/A', 'NG_BUILD_FAILED', /differs only in case/],
];

/** The files of an example function. */
export function exampleFunction(name: string): Record<string, string> {
  const folder = new URL(`../../examples/functions/${name}/`, import.meta.url);
  return Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(new URL(file, folder), 'utf8')]));
}
