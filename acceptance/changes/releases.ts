import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const repository = 'shop/notifications/repositories/sql.ts'
const endOfMigrations = '\n  ],\n  open: (session)'

/** Places of the shop's code, and what stands there in a later release. */
type Patch = readonly (readonly [here: string, now: string])[]

export interface Release {
  readonly name: string
  /** Of the notifications' database. */
  readonly migration: { readonly id: string; readonly sql: string }
  readonly patch: Patch
}

/**
 * The notifications' column `subject` becomes `title`, in three releases of which each runs beside the one before it: expand, move over, contract
 * (Ambler and Sadalage, Refactoring Databases, 2006).
 */
export const releases: readonly Release[] = [
  {
    name: 'expand: writes both columns, reads either',
    migration: {
      id: 'notifications-003-title',
      sql: 'alter table notification add column title text;',
    },
    patch: [
      [
        'insert into notification (id, user_id, kind, subject, sent_at, order_id)',
        'insert into notification (id, user_id, kind, subject, sent_at, order_id, title)',
      ],
      ['$5::timestamptz[], $6::text[])', '$5::timestamptz[], $6::text[], $7::text[])'],
      ['[orderId ?? null]]', '[orderId ?? null], [subject]]'],
      [
        'select id, kind, subject, sent_at, order_id from',
        'select id, kind, coalesce(title, subject) as subject, sent_at, order_id from',
      ],
    ],
  },
  {
    name: 'move over: writes and reads the new column',
    migration: {
      id: 'notifications-004-filled',
      sql: 'alter table notification alter column subject drop not null;\nupdate notification set title = subject where title is null;',
    },
    patch: [
      ['kind, subject, sent_at, order_id, title)', 'kind, sent_at, order_id, title)'],
      [
        '$4::text[], $5::timestamptz[], $6::text[], $7::text[])',
        '$4::timestamptz[], $5::text[], $6::text[])',
      ],
      ['[kind], [subject], [rfc3339', '[kind], [rfc3339'],
      ['coalesce(title, subject) as subject', 'title as subject'],
    ],
  },
  {
    name: 'contract: the old column is dropped',
    migration: {
      id: 'notifications-005-contracted',
      sql: 'alter table notification drop column subject;\nalter table notification alter column title set not null;',
    },
    patch: [],
  },
]

export interface Releases {
  /** Where the shop's code lies. */
  readonly folder: string
  /** Puts the next release's code there. Throws when the shop's code is no longer what it was written for. */
  publish(release: Release): void
  remove(): void
}

/** A copy of the shop's code, to be changed under a fleet that runs it. */
export const copiedShop = (): Releases => {
  const folder = mkdtempSync(join(tmpdir(), 'serval-release-'))
  for (const part of ['shop', 'setups', 'package.json'])
    cpSync(join(root, part), join(folder, part), { recursive: true })
  for (const part of ['node_modules', 'toolkit']) symlinkSync(join(root, part), join(folder, part))
  return {
    folder,
    publish: ({ name, migration: { id, sql }, patch }) => {
      const file = join(folder, repository)
      let text = readFileSync(file, 'utf8')
      const migrated = `\n    { id: '${id}', sql: \`${sql}\` },${endOfMigrations}`
      for (const [here, now] of [[endOfMigrations, migrated] as const, ...patch]) {
        if (text.split(here).length !== 2)
          throw new Error(`release “${name}”: ${repository} should hold once: ${here}`)
        text = text.replace(here, () => now)
      }
      writeFileSync(file, text)
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
