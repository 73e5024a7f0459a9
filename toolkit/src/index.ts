export type { Cached, CacheManyOptions, CacheOptions, ServiceCache } from './cache/index.ts'
export { milliseconds } from './base/duration.ts'
export type { Duration } from './base/duration.ts'
export { rfc3339, systemEnv } from './base/env.ts'
export type { Env } from './base/env.ts'
export { asFailure, failure, failures, isUnavailability, ServalError } from './base/failure.ts'
export type { FailureCode, FailureKind, Ran } from './base/failure.ts'
export { hmacSha256, sameBytes, sha256 } from './base/hash.ts'
export { seal, unseal } from './base/seal.ts'
export { del, get, patch, post, put } from './contract/index.ts'
export {
  command,
  contract,
  event,
  feed,
  pageCursor,
  problem,
  query,
  requireMatch,
} from './contract/index.ts'
export type {
  Access,
  CallOptions,
  Client,
  Contract,
  HttpBinding,
  InputOf,
  Message,
  OutputOf,
  Problem,
} from './contract/index.ts'
export { openApi } from './contract/openapi.ts'
export { httpClient } from './link/http-client.ts'
export type { HttpClientOptions } from './link/http-client.ts'
export type { Caller } from './link/call.ts'
export { port, service } from './service/index.ts'
export type { Context, Service, Step } from './service/index.ts'
export { repository } from './store/repository.ts'
export type { RepositoryType } from './store/repository.ts'
export type { Logger } from './telemetry/log.ts'
