/** The public entry point of `@nanogrid/core`: everything that plugins, runtimes, the command line and tests may use. */

export type {
  ApiKeyScope,
  ApiKeySettings,
  ArchiveLimits,
  CallbackSettings,
  CoreConfig,
  CpuShare,
  FunctionSettings,
} from './config/core-config.js';
export { defineConfig } from './config/define-config.js';
export { editorSchema, editorSchemaText } from './config/editor-schema.js';
export { CONFIG_FILE_NAMES } from './config/find-config.js';
export { type LoadConfigOptions, type LoadedConfig, loadConfig } from './config/load-config.js';
export { printConfig, secretValues } from './config/print-config.js';
export type { Variables } from './config/read-variables.js';
export { renderConfigReference } from './config/render-config-reference.js';
export { looksSecret, REDACTED, redactText } from './config/show-value.js';
export type { NanoGridConfig, PackageEntry, Settings } from './config/user-config.js';
export { ERROR_CODES, type ErrorCode, type ErrorSide, NanoGridError, type NanoGridErrorOptions } from './errors.js';
export type { ExecSpec, WorkFileRequest } from './exec/exec-spec.js';
export { type CheckedArchive, checkArchive } from './extract/check-archive.js';
export type {
  CodeUploads,
  FunctionRecord,
  FunctionRegistry,
  JobSink,
  SharedState,
  TokenBucket,
} from './function-registry.js';
export type {
  EarlyAnswer,
  ExecutionReport,
  ExtractedCode,
  ExtractedFile,
  FirstRun,
  Hooks,
  ResultTapOptions,
} from './hooks.js';
export { createHooks } from './hooks.js';
export type { EnsuredImage, EnsureImageOptions } from './images/ensure-image.js';
export type { ImageProgress } from './images/image-progress.js';
export type { ImageSource } from './images/image-reference.js';
export { type ImageStatus, ImageStore } from './images/image-store.js';
export type { SupervisorVolume, SupervisorVolumeOptions } from './images/supervisor-volume.js';
export type { CodeRef, Dialect, Job } from './job.js';
export { type LogFn, type Logger, silentLogger } from './logger.js';
export { AddressGuard } from './network/address-guard.js';
export { NETWORK_GRANTS, type NetworkGrant } from './network/network-grant.js';
export {
  definePlugin,
  type PluginDefinition,
  type PluginOptions,
  type PluginOptionsInput,
} from './plugin/define-plugin.js';
export { createGuardedHooks } from './plugin/guard-taps.js';
export type {
  Diagnostic,
  JsonSchema,
  Lifecycle,
  Plugin,
  PluginFactory,
  PluginHost,
  PluginMetric,
  PluginScope,
  Services,
} from './plugin/plugin.js';
export type { PluginFigure } from './plugin/plugin-metrics.js';
export { createPluginHost, PluginRegistry } from './plugin/plugin-registry.js';
export type { ContainerListing, EngineInfo } from './pool/container-engine.js';
export { createDockerClient, DockerEngine } from './pool/docker-engine.js';
export type { PoolStats } from './pool/pool.js';
export { isGone, type WorkerIdentity, workerIdentity } from './pool/worker-identity.js';
export { checkEngine } from './preflight/check-engine.js';
export type { Finding } from './preflight/finding.js';
export { encodeResult } from './publish/encode-result.js';
export type {
  JobCost,
  JobEvent,
  JobResult,
  JobStatus,
  LlmCost,
  LlmModelUsage,
  LlmUsage,
  OutputError,
  Phases,
  PluginError,
  StartKind,
} from './result.js';
export { defineRuntime } from './runtime/define-runtime.js';
export type {
  EntrypointManifest,
  ImageBuild,
  PackageFile,
  PackagePin,
  Runtime,
  RuntimeBuild,
  RuntimeDefinition,
  RuntimeSupports,
  WarmShim,
} from './runtime/runtime.js';
export { RuntimeRegistry } from './runtime/runtime-registry.js';
export { checkSharedName, checkSharedValue } from './shared-name.js';
export { requestCancellation } from './source/cancellations.js';
export { type DecodedMessage, decodeMessage } from './source/decode-message.js';
export { environmentFault } from './source/environment-fault.js';
export { rawMember } from './source/raw-member.js';
export type { Stage, StageEnd, StageListener } from './stage.js';
export type {
  CodeStore,
  CodeVersion,
  Delivery,
  JobSource,
  JobStart,
  JobState,
  OutputStore,
  PeekedMessage,
  QueueAdmin,
  QueueReport,
  QueueStats,
  ResultStore,
} from './stores.js';
export { Worker, type WorkerOptions } from './worker.js';
export type { WorkerHealth, WorkerState, WorkerStatus } from './worker-status.js';
