import { failure } from '../base/failure.ts'
import { logLevels, type LogLevel } from '../telemetry/log.ts'

/** Named texts from the environment and the command line, read with the error that a person needs. */
export interface Settings {
  /** A text, or `otherwise` when it is not set. Without `otherwise` it must be set. */
  text(name: string, otherwise?: string): string
  /** A TCP port; 0 takes a free one. */
  port(name: string, otherwise: number): number
  integer(
    name: string,
    otherwise: number,
    range: { readonly from: number; readonly to: number },
  ): number
  /** The level of the log. */
  level(name: string, otherwise: LogLevel): LogLevel
  flag(name: string, otherwise: boolean): boolean
}

const shown = (name: string, value: string) =>
  /SECRET|KEY|PASS|TOKEN|CREDENTIAL|URL/i.test(name) ? 'something else' : JSON.stringify(value)

/** Settings from named texts; `shownAs` says by which name a person gave one, such as an option's. */
export const settingsFrom = (
  source: Readonly<Record<string, string | undefined>>,
  shownAs: Readonly<Record<string, string>> = {},
): Settings => {
  const given = (name: string) => (source[name] === '' ? undefined : source[name])
  const wrong = (name: string, must: string, value: string) =>
    failure(
      'misconfigured',
      `${shownAs[name] ?? name} must be ${must}; it is ${shown(name, value)}`,
    )
  const integer: Settings['integer'] = (name, otherwise, { from, to }) => {
    const value = given(name)
    if (value === undefined) return otherwise
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < from || number > to)
      throw wrong(name, `a whole number from ${from} to ${to}`, value)
    return number
  }
  return {
    text: (name, otherwise) => {
      const value = given(name) ?? otherwise
      if (value === undefined) throw failure('misconfigured', `${name} must be set`)
      return value
    },
    port: (name, otherwise) => integer(name, otherwise, { from: 0, to: 65_535 }),
    integer,
    level: (name, otherwise) => {
      const value = given(name) ?? otherwise
      const level = logLevels.find((one) => one === value)
      if (level === undefined) throw wrong(name, `one of ${logLevels.join(', ')}`, value)
      return level
    },
    flag: (name, otherwise) => {
      const value = given(name)
      if (value === undefined) return otherwise
      if (value !== 'true' && value !== 'false') throw wrong(name, 'true or false', value)
      return value === 'true'
    },
  }
}
