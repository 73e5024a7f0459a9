import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

test('each guarantee names a test that exists, and there are at most 25', async () => {
  const text = await readFile(new URL('semantics.md', import.meta.url), 'utf8')
  const guarantees = text.split('\n').filter((line) => /^\d+\. /.test(line))
  expect(guarantees.length).toBeLessThanOrEqual(25)
  for (const guarantee of guarantees) {
    const files = [...guarantee.matchAll(/`([\w/.-]+\.(?:test|suite)\.ts)`/g)].map(
      ([, file]) => file,
    )
    expect(files, guarantee).not.toEqual([])
    for (const file of files) {
      const places = [`../${file}`, `../toolkit/src/${file}`]
      const found = places.some((place) => existsSync(new URL(place, import.meta.url)))
      expect(found, `${file} of: ${guarantee}`).toBe(true)
    }
  }
})
