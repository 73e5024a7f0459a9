import type { Heard } from 'serval/testing'
import type { World } from '../shop-in-test.suite.ts'

/** What differs from one run to the next, made equal: ids and secrets become numbers in the order in which they appear, times their form. */
export const naming = () => {
  const known = new Map<string, string>()
  const numbered = (kind: string) => (text: string) => {
    const name = known.get(text) ?? `<${kind} ${known.size}>`
    known.set(text, name)
    return name
  }
  const id = numbered('id')
  const secret = numbered('secret')
  return (text: string): string =>
    text
      .replaceAll(/eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g, '<an access token>')
      .replaceAll(/"eyJ[\w-]+"/g, (cursor) => `<${Buffer.from(cursor, 'base64url').toString()}>`)
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, id)
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)/g, '<a time>')
      .replaceAll(/\b1[6-9]\d{11}\b/g, '<milliseconds>')
      .replaceAll(
        /no service of this contract runs in this process|no host that serves \S+ is known/g,
        '<nobody serves it>',
      )
      .replaceAll(/\$argon2[^"]*/g, '<a hash>')
      .replaceAll(/[\w-]{40,}/g, secret)
}

export const transcript = (heard: readonly Heard[]): readonly string[] => {
  const name = naming()
  return heard.map(({ text }) => name(text))
}

/** Tables of the toolkit that say how far the work is and who does it, not what was done. */
const workings = /^serval_(cursor|reader|head|job|host|migration|lease|held)|^(tries|mail_count)/

/** Where a row lies follows from ids, which differ. */
const places = new Set(['partition', 'position', 'seq'])

/** Bytes are JSON that is remembered, or sealed. */
const readable = (value: unknown): unknown => {
  if (!(value instanceof Uint8Array)) return value
  const text = new TextDecoder().decode(value)
  try {
    JSON.parse(text)
    return text
  } catch {
    return '<bytes>'
  }
}

/** Every row of every table of the services, without what differs from run to run. Where rows lie in which order says nothing. */
export const effects = async (
  { server }: World,
  services: readonly string[],
): Promise<Readonly<Record<string, readonly string[]>>> => {
  const found: Record<string, readonly string[]> = {}
  for (const service of services) {
    const database = await server.open(service)
    const tables = await database.read((session) =>
      session.query<{ readonly name: string }>(
        `select table_name as name from information_schema.tables where table_schema = current_schema() and table_type = 'BASE TABLE' order by 1`,
        [],
      ),
    )
    for (const { name } of tables) {
      if (workings.test(name)) continue
      const rows = await database.read((session) => session.query(`select * from "${name}"`, []))
      found[`${service}.${name}`] = rows
        .map((row) =>
          Object.fromEntries(
            Object.entries(row)
              .filter(([column]) => !places.has(column))
              .map(([column, value]) => [column, readable(value)]),
          ),
        )
        .map((row) => naming()(JSON.stringify(row)))
        .toSorted()
    }
  }
  return found
}
