import { rfc3339, type Env } from '../base/env.ts'
import { ServalError } from '../base/failure.ts'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

/** Facts beside a message: ids and numbers; never a password, a token or an address. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** Structured logs: one JSON object a line, with the correlation id of what is being handled. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields, error?: unknown): void
  warn(message: string, fields?: LogFields, error?: unknown): void
  error(message: string, fields?: LogFields, error?: unknown): void
  /** The same log with more fields on each line. */
  with(fields: LogFields): Logger
}

export interface LogOptions {
  readonly env: Env
  /** Default: info. */
  readonly level?: LogLevel
  /** Takes one finished line, without a line break. */
  readonly write: (line: string) => void
}

const textOf = (thrown: unknown): string => {
  try {
    return String(thrown)
  } catch {
    return 'something that has no text was thrown'
  }
}

const describe = (error: unknown, depth = 0): Record<string, unknown> => {
  if (!(error instanceof Error)) return { message: textOf(error) }
  return {
    ...(error instanceof ServalError ? { code: error.code, ran: error.ran } : { name: error.name }),
    message: error.message,
    ...(error.cause === undefined || depth > 3 ? {} : { cause: describe(error.cause, depth + 1) }),
    ...(error instanceof ServalError && error.code !== 'internal' ? {} : { stack: error.stack }),
  }
}

const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? textOf(value) : value)

/** The value, or its text where JSON cannot hold it, such as a circle. */
const holdable = (value: unknown): unknown => {
  try {
    JSON.stringify(value, plain)
    return value
  } catch {
    return textOf(value)
  }
}

/** JSON of whatever it is: a log line must not be what fails. */
const json = (entry: Readonly<Record<string, unknown>>): string => {
  try {
    return JSON.stringify(entry, plain)
  } catch {
    return JSON.stringify(
      Object.fromEntries(Object.entries(entry).map(([name, value]) => [name, holdable(value)])),
      plain,
    )
  }
}

/** Line ends that JSON leaves as they are, and that some readers of lines know. */
const oneLine = (text: string): string =>
  text.replaceAll(
    /[\u0085\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

export const logger = (options: LogOptions, fields: LogFields = {}): Logger => {
  const from = logLevels.indexOf(options.level ?? 'info')
  const line = (level: LogLevel) => (message: string, more?: LogFields, error?: unknown) => {
    if (logLevels.indexOf(level) < from) return
    const at = rfc3339(options.env.now())
    // Named twice: they come first, and no field takes their place.
    const entry = Object.assign({ at, level, message }, fields, more, { at, level, message })
    options.write(oneLine(json(error === undefined ? entry : { ...entry, error: describe(error) })))
  }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (more) => logger(options, { ...fields, ...more }),
  }
}
