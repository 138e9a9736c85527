/** The schema that `defineRuntime` checks a runtime's data against. Owns no state. */

const words = { type: 'array', items: { type: 'string', minLength: 1 } } as const;
// A file or folder: its form (URL or absolute path) is more than a schema can say and is checked in code.
const location = { type: ['string', 'object'] } as const;
const environment = {
  type: 'object',
  propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$', mustBe: 'the name of an environment variable' },
  additionalProperties: { type: 'string', pattern: '^[^\\u0000]*$', mustBe: 'text without NUL' },
} as const;
const memoryMb = { type: 'integer', minimum: 6, maximum: 1_048_576 } as const;
const insideCode = {
  type: 'string',
  pattern: '^(?!/)(?!(.*/)?\\.{1,2}(/|$))[^\\u0000\\\\]+$',
  mustBe: 'the path of a file inside the function’s code',
} as const;
const contextPath = {
  pattern: '^(?!/)(?!(.*/)?(\\.{1,2})?(/|$))[^\\u0000\\\\]+$',
  mustBe: 'the path of a file in the build folder',
} as const;

/** JSON Schema (draft 7) of `PackageFile`. What is named here becomes arguments of npm, and a file's name. */
export const packageFileSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['path', 'packages'],
  properties: {
    path: { type: 'string', ...contextPath, mustBe: 'the path of a file in the package' },
    packages: {
      type: 'object',
      minProperties: 1,
      propertyNames: { pattern: '^[a-z0-9_]+$', mustBe: 'an architecture as Docker names it' },
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'version', 'integrity'],
        properties: {
          name: {
            type: 'string',
            pattern: '^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$',
            mustBe: 'the name of a package',
          },
          version: {
            type: 'string',
            pattern: '^\\d+\\.\\d+\\.\\d+(-[0-9A-Za-z.-]+)?$',
            mustBe: 'an exact version, such as 1.2.3',
          },
          integrity: {
            type: 'string',
            pattern: '^sha512-[A-Za-z0-9+/]{86}==$',
            mustBe: 'sha512- and the digest in Base64, as `npm view <name>@<version> dist.integrity` prints it',
          },
        },
      },
    },
  },
} as const;

/** JSON Schema (draft 7) of `RuntimeDefinition`. */
export const runtimeSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'image', 'entrypoints'],
  properties: {
    name: {
      type: 'string',
      pattern: '^[a-z0-9][a-z0-9-]*$',
      mustBe: 'lower case letters, digits and "-"',
    },
    aliases: {
      type: 'array',
      items: {
        type: 'string',
        // One star matches digits and dots of any number: a second could only say the same again.
        pattern: '^[A-Za-z0-9][A-Za-z0-9._+#-]*(\\*[A-Za-z0-9._+#-]*)?$',
        mustBe: 'letters, digits and ".", "_", "+", "#", "-", with one "*" at most, not at the start',
      },
    },
    image: {
      type: ['string', 'object'],
      minLength: 1,
      pattern: '^\\S+$',
      mustBe: 'the name of an image, without spaces',
      additionalProperties: false,
      required: ['context'],
      properties: {
        name: { type: 'string', minLength: 1 },
        context: location,
        files: { type: 'object', propertyNames: contextPath, additionalProperties: location },
      },
    },
    version: { type: 'string', minLength: 1 },
    entrypoints: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: insideCode,
    },
    sourceExtensions: {
      type: 'array',
      uniqueItems: true,
      items: { type: 'string', pattern: '^\\.[A-Za-z0-9_+-]+$', mustBe: 'an extension with its dot' },
    },
    manifest: {
      type: 'object',
      additionalProperties: false,
      required: ['file', 'field'],
      properties: {
        file: { type: 'string', pattern: '^[A-Za-z0-9._-]+$', mustBe: 'a file name without folders' },
        field: { type: 'string', minLength: 1 },
      },
    },
    build: {
      type: 'object',
      additionalProperties: false,
      required: ['command'],
      properties: {
        command: { ...words, minItems: 1 },
        timeoutMs: { type: 'integer', minimum: 1, maximum: 86_400_000 },
        memoryMb,
        env: environment,
      },
    },
    run: { ...words, minItems: 1 },
    warm: {
      type: 'object',
      additionalProperties: false,
      required: ['command', 'files'],
      properties: {
        command: { ...words, minItems: 1 },
        kind: { type: 'string', enum: ['fork', 'spare'] },
        files: {
          type: 'object',
          propertyNames: { pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._-]+$', mustBe: 'a file name without folders' },
          additionalProperties: location,
        },
        preload: {
          type: 'array',
          // They are joined by commas on their way into the container.
          items: { type: 'string', pattern: '^[^,\\s]+$', mustBe: 'a name without commas and spaces' },
        },
        overheadMb: { type: 'integer', minimum: 0, maximum: 65_536 },
        startTimeoutMs: { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 },
      },
    },
    env: environment,
    limits: {
      type: 'object',
      additionalProperties: false,
      properties: {
        memoryMb,
        pids: { type: 'integer', minimum: 4, maximum: 1_048_576 },
      },
    },
    pool: {
      type: 'object',
      additionalProperties: false,
      properties: { size: { type: 'integer', minimum: 0, maximum: 4_096 } },
    },
    supports: {
      type: 'object',
      additionalProperties: false,
      properties: { handlers: { type: 'boolean' }, keptHandlers: { type: 'boolean' }, build: { type: 'boolean' } },
    },
  },
} as const;
