import type { JsonSchema } from './json-schema.ts'
import { branchesOf, formsOf, lengthOf, rangeOf, type Branch } from './schema-branch.ts'

const bound = (from: number, to: number, what: string): string => {
  const lowest = from === -Infinity || from === Number.MIN_SAFE_INTEGER
  const highest = to === Infinity || to === Number.MAX_SAFE_INTEGER
  const unit = what === '' ? '' : ` ${what}`
  if (lowest && highest) return ''
  if (lowest) return `, at most ${to}${unit}`
  if (highest) return `, at least ${from}${unit}`
  return `, ${from === to ? from : `${from} to ${to}`}${unit}`
}

const wordsOfBranch = (branch: Branch): string => {
  const { schema } = branch
  const { least, most } = lengthOf(schema)
  const { from, above, to, below, step } = rangeOf(schema)
  const forms = [...formsOf(schema)].map((form) => `, ${form}`).join('')
  const exclusive = `${above === -Infinity ? '' : `, above ${above}`}${below === Infinity ? '' : `, below ${below}`}`
  const steps = step === undefined ? '' : `, in steps of ${step}`
  switch (branch.kind) {
    case 'any':
      return 'anything'
    case 'opaque':
      return JSON.stringify(schema).slice(0, 200)
    case 'value':
      return JSON.stringify(branch.value)
    case 'string':
      return `a text${bound(least === 0 ? -Infinity : least, most, 'characters')}${forms}`
    case 'number':
      return `a number${bound(from, to, '')}${exclusive}${steps}`
    case 'integer':
      return `a whole number${bound(from, to, '')}${exclusive}${steps}`
    case 'array':
      return `a list${bound(least === 0 ? -Infinity : least, most, 'items')}`
    case 'object':
      return 'an object'
  }
}

/** A schema in a few words, for the message that says what changed. */
export const wordsOf = (schema: JsonSchema, root: JsonSchema): string => {
  const branches = branchesOf(schema, root)
  if (branches.length === 0) return 'nothing'
  const words = new Set(branches.map(wordsOfBranch))
  if (words.has('true') && words.has('false')) {
    words.delete('true')
    words.delete('false')
    words.add('true or false')
  }
  return [...words].join(' or ')
}
