import { failure, ServalError } from '../base/failure.ts'
import type { Directory } from './directory.ts'

/** Makes a directory of what follows the first colon, or of the whole text. */
export type DirectoryForm = (rest: string, whole: string) => Directory

/** Without what may be a password or a token. */
const redacted = (text: string): string =>
  text
    .replace(/:.*@/s, ':…@')
    .replaceAll(/([?&][^=&]*(?:token|pass|secret|key)[^=&]*=)[^&]*/gi, '$1…')

/** The one form that a setup can be run with, and why. */
export interface OnlyForm {
  readonly form: string
  readonly because: string
}

/** The directory that a setting names: what comes before the first colon says of which form it is. Undefined for an empty text. */
export const directoryFrom = (
  setting: string,
  text: string,
  forms: Readonly<Record<string, DirectoryForm>>,
  only?: OnlyForm,
): Directory | undefined => {
  if (text === '') return undefined
  const colon = text.indexOf(':')
  const name = colon < 0 ? '' : text.slice(0, colon)
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined
  const known = Object.keys(forms).map((one) => `${one}:…`)
  const wrong = (why: string, cause?: unknown) =>
    failure('misconfigured', `${setting} ${why}; it is ${JSON.stringify(redacted(text))}`, {
      cause,
    })
  if (only && name !== only.form) throw wrong(`must be ${only.form}:…, ${only.because}`)
  if (form === undefined) throw wrong(`must be one of ${known.join(', ')}`)
  try {
    return form(text.slice(colon + 1), text)
  } catch (error) {
    if (!(error instanceof ServalError)) throw error
    const said = redacted(error.message)
    throw wrong(`(${name}): ${said}`, said === error.message ? error : undefined)
  }
}

/** Splits `text?name=value&…`; throws for an option that there is not. */
export const withOptions = <Name extends string>(
  text: string,
  known: readonly Name[],
): { readonly main: string; readonly options: ReadonlyMap<Name, string> } => {
  const at = text.indexOf('?')
  if (at < 0) return { main: text, options: new Map() }
  const given = new URLSearchParams(text.slice(at + 1))
  for (const name of given.keys())
    if (!known.some((one) => one === name))
      throw failure('misconfigured', `there is no option ${name}, but ${known.join(', ')}`)
  const options = new Map<Name, string>()
  for (const name of known) {
    const value = given.get(name)
    if (value !== null && value !== '') options.set(name, value)
  }
  return { main: text.slice(0, at), options }
}

const placeholder = '{contract}'

/** The names that a template stands for, each with the contracts that are served under it: one for each contract, or, without `{contract}`, one for all. */
export const namesFrom = (
  template: string,
  contracts: readonly string[],
): ReadonlyMap<string, readonly string[]> => {
  const rest = template.replaceAll(placeholder, 'a')
  if (!/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?$/i.test(rest))
    throw failure(
      'misconfigured',
      `a name is made of letters, digits, hyphens and dots, and may have ${placeholder} in it; it is ${JSON.stringify(template)}`,
    )
  if (!template.includes(placeholder)) return new Map([[template, contracts]])
  return new Map(contracts.map((name) => [template.replaceAll(placeholder, name), [name]]))
}
