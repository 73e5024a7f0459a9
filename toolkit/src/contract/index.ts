export { del, fillPath, get, headerFields, patch, pathParameters, post, put } from './binding.ts'
export type { HttpBinding } from './binding.ts'
export type { CallOptions, Client } from './client.ts'
export { contract } from './contract.ts'
export type {
  Contract,
  Events,
  HandlerOutputOf,
  InputOf,
  Operations,
  OutputOf,
  SentInputOf,
} from './contract.ts'
export { entityTag, namesTag, requireMatch } from './entity-tag.ts'
export { event } from './event.ts'
export type { EventType, Message, PublishedEvent } from './event.ts'
export { command, feed, query } from './operation.ts'
export type { Access, CacheRule, LimitRule, Operation, Repeat } from './operation.ts'
export { pageCursor } from './page-cursor.ts'
export type { PageCursor } from './page-cursor.ts'
export { problem } from './problem.ts'
export type { Problem } from './problem.ts'
export { fillTag, tagFields } from './tag.ts'
export { validInput, validOutput } from './validate.ts'
export type { InputError } from './validate.ts'
