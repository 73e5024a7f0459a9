import { expect, test } from 'vitest'
import { type At, driven, supersededBy, unique } from './fixture.suite.ts'

export const jobs = (at: At) => {
  const claim = (
    name: string,
    now: number,
    holder = 'host',
    store = at().first,
    until = now + 1_000,
  ) => store.jobs.claim([name], now, until, holder)
  const schedule = (name: string, key: string, dueAt: number, data = 'null') =>
    at().first.commit(async (unit) => unit.schedule.set({ name, key, dueAt, data }), false)

  test('a recurring job is there once, at its first time', async () => {
    const { first, second } = at()
    const name = unique('job')
    await first.jobs.ensure(name, 100)
    await second.jobs.ensure(name, 50)
    expect(await first.jobs.next([name])).toBe(100)
    expect(await claim(name, 99)).toEqual([])
    expect(await claim(name, 100)).toEqual([
      { name, key: '', data: 'null', attempts: 0, holder: 'host' },
    ])
  })

  test('of a name and key one job waits: a later call moves it and replaces its data', async () => {
    const name = unique('job')
    await schedule(name, 'a', 10, '{"n":1}')
    await schedule(name, 'a', 20, '{"n":2}')
    await schedule(name, 'b', 30)
    expect(await claim(name, 19)).toEqual([])
    expect(await claim(name, 20)).toMatchObject([{ key: 'a', data: '{"n":2}' }])
    await at().first.commit(async (unit) => unit.schedule.drop(name, 'b'), false)
    expect(await claim(name, 1_000, 'other')).not.toContainEqual(
      expect.objectContaining({ key: 'b' }),
    )
  })

  test('only jobs of the names asked are claimed', async () => {
    const name = unique('job')
    await schedule(name, 'a', 0)
    expect(await at().first.jobs.claim([unique('job')], 1, 2, 'host')).toEqual([])
    expect(await at().first.jobs.next([unique('job')])).toBeUndefined()
    expect(await at().first.jobs.claim([unique('job'), name], 1, 2, 'host')).toHaveLength(1)
  })

  test('hosts that claim at once run a job once', async () => {
    const { first, second, env } = at()
    const name = unique('job')
    await first.hosts.beat('one', 1, 1_000)
    await first.hosts.beat('two', 1, 1_000)
    for (const key of ['a', 'b', 'c']) await schedule(name, key, 0)
    const claims = Array.from({ length: 8 }, (_, n) =>
      n % 2 ? claim(name, 1, 'one', first) : claim(name, 1, 'two', second),
    )
    const claimed = (await driven(env, Promise.all(claims))).flat().map((job) => job.key)
    const rest = await claim(name, 1, 'one')
    expect([...claimed, ...rest.map((job) => job.key)].sort()).toEqual(['a', 'b', 'c'])
    await first.hosts.reset()
  })

  test('another host takes a job over when its lease is over, or its holder gone', async () => {
    const { first, second } = at()
    const name = unique('job')
    await schedule(name, 'a', 0)
    await first.hosts.beat('one', 1, 100)
    const [lost] = await claim(name, 1, 'one', first, 40)
    expect(await claim(name, 40, 'two', second)).toEqual([])
    expect(await claim(name, 41, 'two', second, 1_000)).toHaveLength(1)
    await second.hosts.beat('two', 41, 60)
    expect(await claim(name, 59, 'one')).toEqual([])
    const [taken] = await claim(name, 60, 'one')
    if (lost === undefined || taken === undefined) throw new Error('the job was not claimed')
    await second.commit(async (unit) => unit.frame.settleJob(taken), true)
    expect(await supersededBy(first.commit(async (unit) => unit.frame.settleJob(lost), true))).toBe(
      'job',
    )
    await first.hosts.reset()
  })

  test('a settled job is gone, a recurring one comes again', async () => {
    const { first } = at()
    const name = unique('job')
    for (const nextAt of [500, undefined]) {
      await first.jobs.ensure(name, 1)
      const [job] = await claim(name, 1_000)
      if (job === undefined) throw new Error('the job was not claimed')
      expect(await first.jobs.next([name])).toBeUndefined()
      await first.commit(async (unit) => unit.frame.settleJob(job, nextAt), true)
      expect(await first.jobs.next([name])).toBe(nextAt)
    }
  })

  test('a try that failed is counted, and made again at its time', async () => {
    const { first } = at()
    const name = unique('job')
    await first.hosts.beat('host', 1, 1_000)
    await schedule(name, 'a', 0)
    const [job] = await claim(name, 1)
    if (job === undefined) throw new Error('the job was not claimed')
    await first.jobs.failed(job, 70, 'why')
    expect(await claim(name, 69)).toEqual([])
    const [again] = await claim(name, 70)
    expect(again).toEqual({ ...job, attempts: 1 })
    // The first run ends at last: it is not the one that counts any more.
    await first.jobs.failed(job, 0, 'late')
    expect(await supersededBy(first.commit(async (unit) => unit.frame.settleJob(job), true))).toBe(
      'job',
    )
    expect(await claim(name, 71, 'other')).toEqual([])
    await first.hosts.reset()
  })

  test('the next job is the earliest that nobody holds', async () => {
    const { first } = at()
    const [one, other] = [unique('job'), unique('job')]
    await schedule(one, 'a', 300)
    await schedule(one, 'b', 100)
    await schedule(other, 'a', 200)
    expect(await first.jobs.next([one, other])).toBe(100)
    await claim(one, 150)
    expect(await first.jobs.next([one, other])).toBe(200)
    expect(await first.jobs.next([one])).toBe(300)
  })

  test('a job can set itself again in its own step', async () => {
    const { first } = at()
    const name = unique('job')
    await schedule(name, 'a', 0, '{"n":1}')
    for (const n of [1, 2, 3]) {
      const [job] = await claim(name, n * 10)
      if (job === undefined) throw new Error('the job was not claimed')
      expect(job).toMatchObject({ data: `{"n":${n}}`, attempts: 0 })
      await first.commit(async (unit) => {
        unit.schedule.set({ name, key: 'a', dueAt: (n + 1) * 10, data: `{"n":${n + 1}}` })
        unit.frame.settleJob(job)
      }, true)
      expect(await first.jobs.next([name])).toBe((n + 1) * 10)
    }
  })

  test('a job that was set again while it ran supersedes that run', async () => {
    const { first } = at()
    const name = unique('job')
    await schedule(name, 'a', 0)
    const [job] = await claim(name, 1)
    if (job === undefined) throw new Error('the job was not claimed')
    await schedule(name, 'a', 90)
    expect(await supersededBy(first.commit(async (unit) => unit.frame.settleJob(job), true))).toBe(
      'job',
    )
    expect(await first.jobs.next([name])).toBe(90)
  })
}

export const hosts = (at: At) => {
  test('a beat answers the hosts alive, in one order for all', async () => {
    const { first, second } = at()
    await first.hosts.reset()
    expect(await first.hosts.beat('b', 1, 100)).toEqual(['b'])
    expect(await second.hosts.beat('a', 2, 50)).toEqual(['a', 'b'])
    expect(await first.hosts.beat('b', 60, 160)).toEqual(['b'])
    expect(await second.hosts.beat('a', 61, 161)).toEqual(['a', 'b'])
  })

  test('a host that left is gone at once; a reset forgets all', async () => {
    const { first, second } = at()
    await first.hosts.reset()
    await first.hosts.beat('a', 1, 100)
    await second.hosts.beat('b', 1, 100)
    await second.hosts.leave('b')
    await second.hosts.leave('never')
    expect(await first.hosts.beat('a', 2, 100)).toEqual(['a'])
    await first.hosts.reset()
    expect(await second.hosts.beat('b', 3, 100)).toEqual(['b'])
  })
}
