import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { derive, secretFile, secretText } from './secret.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serval-secret-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('the file is made at the first start, with its folder, for its owner alone, and kept', async () => {
  const file = join(folder, 'a', 'b', 'secret')
  const made = await secretFile(file)()
  expect(made).toHaveLength(32)
  expect(await secretFile(file)()).toEqual(made)
  expect(await readFile(file, 'utf8')).toBe(`${Buffer.from(made).toString('hex')}\n`)
  expect(await readdir(join(folder, 'a', 'b'))).toEqual(['secret'])
  if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('hosts that start at once agree on one secret, and leave nothing else behind', async () => {
  for (let round = 0; round < 20; round++) {
    const inside = join(folder, `race-${round}`)
    const secrets = await Promise.all(
      Array.from({ length: 8 }, () => secretFile(join(inside, 'secret'))()),
    )
    expect(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size).toBe(1)
    expect(await readdir(inside)).toEqual(['secret'])
  }
})

test('a file that is not a secret cannot be used, is left as it is, and is not shown', async () => {
  const file = join(folder, 'corrupt')
  for (const text of [
    '',
    'hunter2',
    'A'.repeat(64),
    'a'.repeat(63),
    'a'.repeat(65),
    `${'a'.repeat(64)} x`,
  ]) {
    await writeFile(file, text)
    const error: unknown = await secretFile(file)().catch((thrown: unknown) => thrown)
    expect((error as Error).message).toBe(
      `The secret file ${file} cannot be used: it does not hold 64 hexadecimal digits; restore it from a backup`,
    )
    expect(error).toMatchObject({ code: 'cannot-start' })
    expect(await readFile(file, 'utf8')).toBe(text)
  }
})

test('a place that cannot be read or written is named', async () => {
  const directory = join(folder, 'directory')
  await mkdir(directory)
  await writeFile(join(folder, 'plain'), '')
  for (const file of [directory, join(folder, 'plain', 'secret')])
    await expect(secretFile(file)()).rejects.toMatchObject({
      code: 'cannot-start',
      message: expect.stringContaining(`The secret file ${file} cannot be used: `),
    })
})

test('a secret given as text has at least 32 characters, and is not shown when it has fewer', async () => {
  expect(await secretText('x'.repeat(32), 'SERVAL_SECRET')()).toHaveLength(32)
  const short = secretText('hunter2', 'SERVAL_SECRET')()
  await expect(short).rejects.toMatchObject({
    code: 'misconfigured',
    message: 'SERVAL_SECRET must have at least 32 characters; it has 7',
  })
})

test('what is derived differs by purpose and by master, and is the same each time', async () => {
  const hex = async (fill: number, purpose: string) =>
    Buffer.from(await derive(new Uint8Array(32).fill(fill), purpose)).toString('hex')
  const made = await Promise.all([hex(1, 'a'), hex(1, 'b'), hex(2, 'a'), hex(1, '')])
  expect(new Set(made).size).toBe(4)
  expect(await hex(1, 'a')).toBe(made[0])
  // RFC 5869, test case 3 has no salt and no info, and takes the first 32 bytes of its output.
  const okm = Buffer.from(await derive(new Uint8Array(22).fill(0x0b), '')).toString('hex')
  expect(okm).toBe('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d')
})
