import { rfc3339 } from 'serval'
import { sqlRepository, type RepositorySession } from 'serval/engines/sql'
import type { SigningKeys } from '../../repository.ts'
import type { SigningKey } from '../../signing-keys/signing-keys.ts'
import { time, type Row } from './row.ts'

const insert = `insert into signing_key
(generation, kid, public_key, sealed, created_at, signs_from, published_until)
values ($1, $2, $3, $4, $5::timestamptz, $6::timestamptz, $7::timestamptz)
on conflict (generation) do nothing`

const valuesOf = (key: SigningKey, now: number) => [
  key.generation,
  key.kid,
  key.publicKey,
  key.sealed,
  rfc3339(now),
  rfc3339(key.signsFrom),
  time(key.publishedUntil),
]

const all = async (session: RepositorySession, lock: 'lock' | undefined) => {
  const rows = await session.query<Row<SigningKey>>(
    `select generation, kid, public_key as "publicKey", sealed, signs_from as "signsFrom",
published_until as "publishedUntil" from signing_key order by generation${lock ? ' for update' : ''}`,
  )
  return rows.map((row) => ({ ...row, publishedUntil: row.publishedUntil ?? undefined }))
}

export const sqlSigningKeys = sqlRepository<SigningKeys>({
  migrations: [
    {
      id: 'accounts-003-signing-keys',
      sql: `create table signing_key (
  generation integer primary key,
  kid text not null unique,
  public_key text not null,
  sealed bytea not null,
  created_at timestamptz not null,
  signs_from timestamptz not null,
  published_until timestamptz
);
`,
    },
  ],
  open: (session) => ({
    all: (lock) => all(session, lock),
    offer: (key, now) => session.write(insert, valuesOf(key, now)),
    rotate: (key, retired, now) => {
      for (const { generation, publishedUntil } of retired)
        session.write(
          'update signing_key set published_until = $2::timestamptz where generation = $1',
          [generation, time(publishedUntil)],
        )
      session.write(insert, valuesOf(key, now), { rows: 1, otherwise: 'again' })
    },
    prune: (now) =>
      session.write('delete from signing_key where published_until < $1::timestamptz', [
        rfc3339(now),
      ]),
  }),
})
