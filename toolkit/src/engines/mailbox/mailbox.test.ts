import { spawn } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manualEnv } from '../../testing/index.ts'
import { mailbox } from './index.ts'

const mail = (n: number, to = 'ada@shop.test') => ({
  messageId: `<${n}@shop.test>`,
  to,
  subject: `Mail ${n}`,
  text: `Hello ${n},\n\n“£12.99” is your total. 🐈\n`,
})

let folder: string
let files = 0
const newFile = () => join(folder, 'deep', `${(files += 1)}.jsonl`)
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'serval-mailbox-'))))
afterAll(() => rmSync(folder, { recursive: true }))

for (const [kind, fileOf] of [
  ['in memory', () => undefined],
  ['in a file', newFile],
] as const)
  describe(kind, () => {
    test('mails are read newest first, at most so many, and of one recipient', async () => {
      const env = manualEnv()
      const box = mailbox({ file: fileOf(), env })
      for (let n = 1; n <= 5; n++) {
        await box.send(mail(n, n % 2 === 0 ? 'bob@shop.test' : 'ada@shop.test'))
        await env.advance(1_000)
      }
      const ids = (options: { limit: number; to?: string }) =>
        box.mailbox.newest(options).map((item) => item.subject)
      expect(ids({ limit: 20 })).toEqual(['Mail 5', 'Mail 4', 'Mail 3', 'Mail 2', 'Mail 1'])
      expect(ids({ limit: 2 })).toEqual(['Mail 5', 'Mail 4'])
      expect(ids({ limit: 20, to: 'bob@shop.test' })).toEqual(['Mail 4', 'Mail 2'])
      expect(box.mailbox.newest({ limit: 1 })).toEqual([
        { ...mail(5), at: '2026-01-01T00:00:04.000Z', repeats: 0 },
      ])
      box.close()
    })

    test('a repeat by Message-ID is dropped and counted', async () => {
      const box = mailbox({ file: fileOf() })
      await Promise.all([
        box.send(mail(1)),
        box.send(mail(1)),
        box.send(mail(2)),
        box.send(mail(1)),
      ])
      expect(box.mailbox.count()).toEqual({ mails: 2, repeats: 2 })
      expect(box.mailbox.newest({ limit: 5 }).map((item) => item.repeats)).toEqual([0, 2])
      box.close()
    })

    test('the most recent mails are known, all are counted', async () => {
      const file = fileOf()
      const box = mailbox({ file, recent: 3 })
      for (const n of [1, 2, 3, 4, 3]) await box.send(mail(n))
      const seen = (from: typeof box) => [
        from.mailbox.newest({ limit: 9 }).map(({ subject, repeats }) => [subject, repeats]),
        from.mailbox.count(),
      ]
      const held = [
        [
          ['Mail 4', 0],
          ['Mail 3', 1],
          ['Mail 2', 0],
        ],
        { mails: 4, repeats: 1 },
      ]
      expect(seen(box)).toEqual(held)
      box.close()
      if (file === undefined) return
      const again = mailbox({ file, recent: 3 })
      expect(seen(again)).toEqual(held)
      again.close()
    })
  })

test('a mailbox opened again holds what it held, repeats included', async () => {
  const file = newFile()
  const first = mailbox({ file })
  for (const n of [1, 2, 1]) await first.send(mail(n))
  const held = first.mailbox.newest({ limit: 10 })
  first.close()
  const second = mailbox({ file })
  expect(second.mailbox.newest({ limit: 10 })).toEqual(held)
  await second.send(mail(2))
  expect(second.mailbox.count()).toEqual({ mails: 2, repeats: 2 })
  second.close()
})

test('wherever the last line is torn, it is passed over and nothing else is lost', async () => {
  const file = newFile()
  const written = mailbox({ file })
  for (const n of [1, 2, 3]) await written.send(mail(n))
  written.close()
  const whole = readFileSync(file)
  const lastLine = whole.lastIndexOf('\n', whole.length - 2) + 1
  for (let end = lastLine; end < whole.length; end++) {
    writeFileSync(file, whole)
    truncateSync(file, end)
    const box = mailbox({ file })
    expect(box.mailbox.count().mails).toBe(2)
    await box.send(mail(4))
    box.close()
    const again = mailbox({ file })
    expect(again.mailbox.newest({ limit: 9 }).map((item) => item.messageId)).toEqual(
      [4, 2, 1].map((n) => mail(n).messageId),
    )
    again.close()
  }
})

test('two processes share a file: each sees the other’s mails, a mail that both send is one, and what one left half is passed over', async () => {
  const file = newFile()
  const [here, there] = [mailbox({ file }), mailbox({ file })]
  await here.send(mail(1))
  await there.send(mail(2))
  await there.send(mail(1))
  await here.send(mail(2))
  appendFileSync(file, '{"messageId":"<3@sh')
  await here.send(mail(4))
  await there.send(mail(5))
  for (const box of [here, there, mailbox({ file })]) {
    expect(box.mailbox.count()).toEqual({ mails: 4, repeats: 2 })
    expect(
      box.mailbox.newest({ limit: 9 }).map(({ subject, repeats }) => [subject, repeats]),
    ).toEqual([
      ['Mail 5', 0],
      ['Mail 4', 0],
      ['Mail 2', 1],
      ['Mail 1', 1],
    ])
    box.close()
  }
})

test('many mails are read back, across the blocks of the file', async () => {
  const file = newFile()
  const box = mailbox({ file })
  for (let n = 0; n < 2_000; n++) await box.send(mail(n))
  box.close()
  expect(statSync(file).size).toBeGreaterThan(3 * 64 * 1024)
  const again = mailbox({ file })
  expect(again.mailbox.newest({ limit: 3_000 }).map((item) => item.text)).toEqual(
    Array.from({ length: 2_000 }, (_, n) => mail(1_999 - n).text),
  )
  again.close()
})

test('a file that is something else is refused, with its name and line', async () => {
  const file = newFile()
  const box = mailbox({ file })
  await box.send(mail(1))
  box.close()
  for (const line of ['not JSON', '{"a":1}', '7']) {
    appendFileSync(file, `${line}\n`)
    expect(() => mailbox({ file }).mailbox.count()).toThrow(`${file}, line 2, is not an entry`)
    truncateSync(file, readFileSync(file).indexOf('\n') + 1)
  }
})

test('SIGKILL loses no mail that was answered', async () => {
  const file = newFile()
  const engine = new URL('./index.ts', import.meta.url).href
  const program = `
    import { mailbox } from ${JSON.stringify(engine)}
    import { writeSync } from 'node:fs'
    const box = mailbox({ file: ${JSON.stringify(file)} })
    for (let n = 1; ; n++) {
      await box.send({ messageId: '<' + n + '@shop.test>', to: 'a@b', subject: 's', text: 't'.repeat(2_000) })
      writeSync(1, n + '\\n')
    }`
  const args = 'bun' in process.versions ? ['-e', program] : ['--input-type=module', '-e', program]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.split('\n').length > 200) child.kill('SIGKILL')
    })
    child.once('close', () => resolve())
  })
  const answered = Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1))
  expect(answered).toBeGreaterThan(100)
  const box = mailbox({ file })
  const { mails } = box.mailbox.count()
  expect(mails).toBeGreaterThanOrEqual(answered)
  expect(mails).toBeLessThanOrEqual(answered + 1)
  await box.send(mail(0))
  expect(box.mailbox.newest({ limit: 1 })).toMatchObject([mail(0)])
  box.close()
})
