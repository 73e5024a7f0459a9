import { propertiesOf, requiredOf, type JsonSchema } from './json-schema.ts'
import { accepts, asSchema, branchesOf, formsOf, lengthOf, list, rangeOf, type Branch } from './schema-branch.ts' // prettier-ignore
import { wordsOf } from './schema-words.ts'

/**
 * Which way values go. `input`: from old callers to a new server, which refuses fields that it does not know.
 * `output`: from a new server to old readers, which ignore fields that they do not know and miss those that are gone.
 * `stored`: from an old writer to a new reader, which ignores unknown fields.
 */
export type Direction = 'input' | 'output' | 'stored'

export type MisfitRule =
  | 'field-required'
  | 'field-removed'
  | 'field-optional'
  | 'type'
  | 'values'
  | 'range'
  | 'length'
  | 'pattern'
  | 'default'

/** One reason why a value of the one schema may not fit the other. */
export interface Misfit {
  /** Names of fields after slashes; `*` stands for each item of a list and each value of a map. */
  readonly path: string
  readonly rule: MisfitRule
  /** In words: what is sent, and what is taken. */
  readonly sent: string
  readonly taken: string
}

interface Side {
  readonly schema: JsonSchema
  readonly root: JsonSchema
}

/**
 * Why a value that fits `sent` may not fit `taken`: empty when each one does. It never overlooks a misfit of JSON
 * Schemas as zod writes them; of a union that was rewritten into another form it may report one that is none. What a
 * schema does not show (refinements, transforms) is not compared.
 */
export const misfits = (sent: JsonSchema, taken: JsonSchema, direction: Direction): Misfit[] => {
  /** Pairs under way: a schema that refers to itself fits if the rest of it does. */
  const begun = new Map<JsonSchema, Set<JsonSchema>>()

  const compare = (from: Side, to: Side, path: string): Misfit[] => {
    const seen = begun.get(from.schema) ?? new Set()
    if (seen.has(to.schema)) return []
    begun.set(from.schema, seen.add(to.schema))
    try {
      return [...compareDefault(from, to, path), ...compareValues(from, to, path)]
    } finally {
      seen.delete(to.schema)
    }
  }

  const misfit = (rule: MisfitRule, path: string, from: Side, to: Side): Misfit => ({
    path,
    rule,
    sent: wordsOf(from.schema, from.root),
    taken: wordsOf(to.schema, to.root),
  })

  /** A caller who leaves a field out relies on what it then means. */
  const compareDefault = (from: Side, to: Side, path: string): Misfit[] => {
    const [was, is] = [from, to].map(({ schema }) => JSON.stringify(schema['default']))
    if (direction !== 'input' || was === undefined || was === is) return []
    return [{ path, rule: 'default', sent: `default ${was}`, taken: `default ${is ?? 'none'}` }]
  }

  const compareValues = (from: Side, to: Side, path: string): Misfit[] => {
    const ways = branchesOf(to.schema, to.root)
    const refused: unknown[] = []
    const found: Misfit[] = []
    for (const branch of branchesOf(from.schema, from.root)) {
      if (branch.kind !== 'value') found.push(...compareBranch(branch, ways, from, to, path))
      else if (!ways.some((way) => accepts(way, branch.value))) refused.push(branch.value)
    }
    if (refused.length === 0) return found
    const typeKnown = refused.every((value) => ways.some((way) => typeOf(way) === jsonType(value)))
    const rule = typeKnown ? 'values' : 'type'
    const words = refused.map((value) => JSON.stringify(value)).join(', ')
    return [{ path, rule, sent: words, taken: wordsOf(to.schema, to.root) }, ...found]
  }

  const compareBranch = (
    branch: Branch,
    ways: readonly Branch[],
    from: Side,
    to: Side,
    path: string,
  ): Misfit[] => {
    if (ways.some((way) => way.kind === 'any' || same(way.schema, branch.schema, from, to)))
      return []
    const whole = (rule: MisfitRule) => [misfit(rule, path, { ...from, schema: branch.schema }, to)]
    const alike = ways.filter(
      ({ kind }) => kind === branch.kind || (kind === 'number' && branch.kind === 'integer'),
    )
    if (branch.kind === 'any' || branch.kind === 'opaque' || alike.length === 0)
      return whole(
        ways.some((way) => isExact(way) && typeOf(way) === typeOf(branch)) ? 'values' : 'type',
      )
    const tried = alike.map((way) => ({
      way,
      found: compareAlike(
        { ...from, schema: branch.schema },
        { ...to, schema: way.schema },
        branch.kind,
        path,
      ),
    }))
    if (tried.some(({ found }) => found.length === 0)) return []
    // The one that was meant tells best what is wrong.
    const meant = tried.filter(({ way }) => sameTag(branch, way, from, to))
    const [best] = (meant.length > 0 ? meant : tried).toSorted(
      (a, b) => a.found.length - b.found.length,
    )
    return best?.found ?? whole('type')
  }

  const compareAlike = (from: Side, to: Side, kind: Branch['kind'], path: string): Misfit[] => {
    if (kind === 'object') return compareObjects(from, to, path)
    if (kind === 'array') return compareArrays(from, to, path)
    if (kind === 'string')
      return [
        ...(fitsLength(from.schema, to.schema) ? [] : [misfit('length', path, from, to)]),
        ...([...formsOf(to.schema)].every((form) => formsOf(from.schema).has(form))
          ? []
          : [misfit('pattern', path, from, to)]),
      ]
    return fitsRange(from.schema, to.schema) ? [] : [misfit('range', path, from, to)]
  }

  const compareObjects = (from: Side, to: Side, path: string): Misfit[] => {
    const [sentFields, takenFields] = [propertiesOf(from.schema), propertiesOf(to.schema)]
    const [always, needed] = [requiredOf(from.schema), requiredOf(to.schema)]
    const [sentRest, takenRest] = [restOf(from.schema), restOf(to.schema)]
    const found: Misfit[] = []
    const report = (name: string, rule: MisfitRule, sentWords: string, takenWords: string) =>
      found.push({ path: `${path}/${name}`, rule, sent: sentWords, taken: takenWords })

    const missing = needed.filter((name) => !always.includes(name))
    for (const name of missing) {
      const comes = Object.hasOwn(sentFields, name) || takesName(from, name)
      const rule =
        direction !== 'output' ? 'field-required' : comes ? 'field-optional' : 'field-removed'
      report(name, rule, comes ? 'optional' : 'not there', 'required')
    }
    for (const [name, field] of Object.entries(sentFields)) {
      const rest = takesName(to, name) ? takenRest : undefined
      const other = Object.hasOwn(takenFields, name) ? takenFields[name] : rest
      if (other !== undefined)
        found.push(
          ...compare({ ...from, schema: field }, { ...to, schema: other }, `${path}/${name}`),
        )
      // A map takes no name but those that it allows; a plain object's reader lets others pass.
      else if (direction === 'input' || takenRest !== undefined)
        report(name, 'field-removed', 'a known field', 'refused')
    }
    for (const [name, field] of Object.entries(takenFields)) {
      if (Object.hasOwn(sentFields, name)) continue
      if (sentRest !== undefined && takesName(from, name))
        found.push(
          ...compare({ ...from, schema: sentRest }, { ...to, schema: field }, `${path}/${name}`),
        )
      else if (direction === 'output' && !missing.includes(name))
        report(name, 'field-removed', 'not there', 'a known field')
    }
    if (sentRest !== undefined) found.push(...compareRest(from, to, sentRest, takenRest, path))
    return found
  }

  /** What comes under names that are not listed: the values of a map. */
  const compareRest = (
    from: Side,
    to: Side,
    sentRest: JsonSchema,
    takenRest: JsonSchema | undefined,
    path: string,
  ): Misfit[] => {
    if (takenRest === undefined)
      return direction === 'input'
        ? [{ path: `${path}/*`, rule: 'field-removed', sent: 'any name', taken: 'refused' }]
        : []
    return [
      ...compare(
        { ...from, schema: namesOf(from.schema) },
        { ...to, schema: namesOf(to.schema) },
        `${path}/* (name)`,
      ),
      ...compare({ ...from, schema: sentRest }, { ...to, schema: takenRest }, `${path}/*`),
    ]
  }

  const takesName = ({ schema, root }: Side, name: string): boolean =>
    restOf(schema) !== undefined &&
    branchesOf(namesOf(schema), root).some((branch) => accepts(branch, name))

  const compareArrays = (from: Side, to: Side, path: string): Misfit[] => {
    const found = fitsLength(from.schema, to.schema) ? [] : [misfit('length', path, from, to)]
    if (to.schema['uniqueItems'] === true && from.schema['uniqueItems'] !== true)
      found.push({ path, rule: 'values', sent: 'repeats allowed', taken: 'no repeats' })
    const heads = [from, to].map(({ schema }) => list(schema['prefixItems']).length)
    const most = lengthOf(from.schema).most
    for (let at = 0; at < Math.min(Math.max(...heads), most); at++)
      found.push(...compareItems(from, to, at, `${path}/${at}`))
    if (most > Math.max(...heads)) found.push(...compareItems(from, to, Infinity, `${path}/*`))
    return found
  }

  const compareItems = (from: Side, to: Side, at: number, path: string): Misfit[] =>
    compare(
      { ...from, schema: itemOf(from.schema, at) },
      { ...to, schema: itemOf(to.schema, at) },
      path,
    )

  return compare({ schema: sent, root: sent }, { schema: taken, root: taken }, '')
}

/** Undefined where other names are not known: plain objects, which drop or refuse them. */
const restOf = (schema: JsonSchema): JsonSchema | undefined => {
  const rest = schema['additionalProperties']
  return rest === undefined || rest === false ? undefined : asSchema(rest)
}

const anyName: JsonSchema = { type: 'string' }
const namesOf = (schema: JsonSchema): JsonSchema =>
  schema['propertyNames'] === undefined ? anyName : asSchema(schema['propertyNames'])

const itemOf = (schema: JsonSchema, at: number): JsonSchema =>
  list(schema['prefixItems'])[at] ?? asSchema(schema['items'])

const same = (a: JsonSchema, b: JsonSchema, { root: one }: Side, { root: other }: Side): boolean =>
  JSON.stringify(a) === JSON.stringify(b) &&
  (!JSON.stringify(a).includes('"$ref"') || JSON.stringify(one) === JSON.stringify(other))

const fitsLength = (from: JsonSchema, to: JsonSchema): boolean =>
  lengthOf(from).least >= lengthOf(to).least && lengthOf(from).most <= lengthOf(to).most

const fitsRange = (fromSchema: JsonSchema, toSchema: JsonSchema): boolean => {
  const [from, to] = [rangeOf(fromSchema), rangeOf(toSchema)]
  const low = Math.max(from.from, from.above)
  const high = Math.min(from.to, from.below)
  const steps = to.step === undefined ? 0 : (from.step ?? Number.NaN) / to.step
  return (
    low >= to.from &&
    high <= to.to &&
    (low > to.above || (from.above === low && low >= to.above)) &&
    (high < to.below || (from.below === high && high <= to.below)) &&
    Number.isInteger(steps)
  )
}

const isExact = (branch: Branch): boolean => branch.kind === 'value' || branch.kind === 'opaque'

const jsonType = (value: unknown): string => (value === null ? 'null' : typeof value)
const typeOf = (branch: Branch): string =>
  branch.kind === 'value'
    ? jsonType(branch.value)
    : branch.kind === 'integer'
      ? 'number'
      : branch.kind

/** Whether two objects of unions are told apart from the others by the same value of a field. */
const sameTag = (branch: Branch, way: Branch, from: Side, to: Side): boolean => {
  const theirs = propertiesOf(way.schema)
  return Object.entries(propertiesOf(branch.schema)).some(([name, field]) => {
    const other = theirs[name]
    const [one, ...more] = branchesOf(field, from.root)
    const ways = other === undefined ? [] : branchesOf(other, to.root)
    return (
      one?.kind === 'value' &&
      more.length === 0 &&
      ways.some((value) => value.kind === 'value' && value.value === one.value)
    )
  })
}
