import { expect, test } from 'vitest'
import { manualEnv } from '../testing/index.ts'
import { planOf, type Plan } from './plan.ts'
import type { HostProcess } from './processes.ts'
import { supervisor } from './supervisor.ts'

const plan: Plan = planOf(['a', 'b'], {
  edge: { services: [], edge: true },
  all: { services: 'all', edge: false, replicas: 2 },
})

interface Fake extends HostProcess {
  /** Says that it serves all that it runs. */
  serve(): void
  end(how: string): void
}

/** A supervisor of processes that do what the test says; by default they are ready at once, and end when they are asked to. */
const setting = (
  given: { ready?: boolean; obedient?: boolean; plan?: Plan; besideMs?: number } = {},
) => {
  const env = manualEnv()
  const behaviour = { ready: true, obedient: true, ...given }
  const story: string[] = []
  const fakes: Fake[] = []
  const said: string[] = []
  const fleet = supervisor({
    env,
    plan: given.plan ?? plan,
    say: (text) => said.push(text),
    besideMs: given.besideMs ?? 0,
    start: (about) => {
      let end: (how: string) => void = () => undefined
      const ended = new Promise<string>((resolve) => (end = resolve))
      const { services, edge } = about.runs
      const fake: Fake = {
        ...about,
        since: env.now(),
        pid: fakes.length + 1,
        state: 'starting',
        ended,
        last: ['its last words'],
        serve: () =>
          fleet.announce({
            id: about.id,
            address: `http://${about.name}`,
            contracts: [...services, ...(edge ? ['$edge'] : [])],
          }),
        end: (how) => {
          story.push(`${about.name} ended`)
          end(how)
        },
        stop: async () => {
          story.push(`stop ${about.name}`)
          if (behaviour.obedient) fake.end('it ended with 0')
          await ended
        },
        kill: () => fake.end('it was ended by SIGKILL'),
      }
      story.push(`start ${about.name}`)
      fakes.push(fake)
      if (behaviour.ready) void Promise.resolve().then(fake.serve)
      return fake
    },
  })
  const names = () =>
    fleet
      .processes()
      .map(({ name }) => name)
      .sort()
  const last = (name: string): Fake => {
    const found = fakes.findLast((fake) => fake.name === name)
    if (found === undefined) throw new Error(`there was no ${name}`)
    return found
  }
  const told = () => story.splice(0)
  return { env, fleet, behaviour, names, last, told, said }
}

const failed = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing failed',
    (error: { code: string; message: string }) => error,
  )

test('a fleet is up when every process serves what it runs', async () => {
  const { env, fleet, names, last, told } = setting({ ready: false })
  let up = false
  const starting = fleet.up().then(() => (up = true))
  await env.advance(0)
  expect(told()).toEqual(['start edge.1', 'start all.1', 'start all.2'])
  for (const name of ['edge.1', 'all.1']) last(name).serve()
  const { id } = last('all.2')
  fleet.announce({ id, address: 'http://all.2', contracts: ['a'] })
  await env.advance(0)
  expect(up).toBe(false)
  last('all.2').serve()
  await starting
  expect(names()).toEqual(['all.1', 'all.2', 'edge.1'])
  expect(fleet.processes().map(({ state }) => state)).toEqual(['ready', 'ready', 'ready'])
})

test('a fleet of which a part does not come up ends what did', async () => {
  const { env, fleet, names, last, said } = setting({ ready: false })
  const starting = failed(fleet.up())
  await env.advance(0)
  last('edge.1').serve()
  last('all.1').end('it ended with 1')
  expect(await starting).toMatchObject({
    code: 'change-failed',
    message: expect.stringMatching(/all\.1: it ended before it was ready\nits last words/),
  })
  expect(names()).toEqual([])
  await env.advance(60_000)
  expect(names()).toEqual([])
  expect(said.at(-1)).toBe('all.1: it ended with 1')
})

test('a change starts what is new, one after the other, and ends what is old only then', async () => {
  const { env, fleet, behaviour, last, told } = setting()
  await fleet.up()
  told()
  behaviour.ready = false
  const splitting = fleet.split('a')
  await env.advance(0)
  const order: string[] = []
  for (let started = told(); started.length === 1; started = told()) {
    order.push(...started)
    last(order.at(-1)?.replace('start ', '') ?? '').serve()
    await env.advance(0)
    if (order.length === 4) break
  }
  await splitting
  expect(order).toEqual(['start all.3', 'start all.4', 'start a.1', 'start a.2'])
  expect(told()).toEqual(['stop all.1', 'all.1 ended', 'stop all.2', 'all.2 ended'])
  expect(fleet.processes().map(({ name, services }) => `${name} ${services.join()}`)).toEqual([
    'edge.1 ',
    'all.3 b',
    'all.4 b',
    'a.1 a',
    'a.2 a',
  ])
  behaviour.ready = true
  await fleet.merge('a')
  expect(fleet.processes().map(({ services }) => services.join())).toEqual(['', 'b,a', 'b,a'])
})

test('a new process that does not come up leaves everything as it was', async () => {
  const { env, fleet, behaviour, names, last, said } = setting()
  await fleet.up()
  behaviour.ready = false
  const splitting = failed(fleet.split('a'))
  await env.advance(0)
  for (const name of ['all.3', 'all.4', 'a.1']) {
    last(name).serve()
    await env.advance(0)
  }
  last('a.2').end('it ended with 1')
  expect(await splitting).toMatchObject({ code: 'change-failed' })
  expect(said.at(-1)).toBe('a.2: it ended with 1')
  expect(names()).toEqual(['all.1', 'all.2', 'edge.1'])
  behaviour.ready = true
  await fleet.scale('all', 3)
  expect(names()).toEqual(['all.1', 'all.2', 'all.3', 'edge.1'])
})

test('a new process that hangs is killed, and the change fails', async () => {
  const { env, fleet, behaviour, names } = setting()
  await fleet.up()
  behaviour.ready = false
  const scaling = failed(fleet.scale('all', 3))
  await env.advance(120_000)
  expect(await scaling).toMatchObject({
    message: expect.stringContaining('all.3: it was not ready within 120 s'),
  })
  expect(names()).toEqual(['all.1', 'all.2', 'edge.1'])
})

test('a roll replaces one process after the other', async () => {
  const { fleet, told, names } = setting()
  await fleet.up()
  told()
  await fleet.roll('all')
  expect(told()).toEqual([
    ...['start all.3', 'stop all.1', 'all.1 ended'],
    ...['start all.1', 'stop all.2', 'all.2 ended'],
  ])
  await fleet.roll(undefined)
  expect(names()).toEqual(['all.2', 'all.3', 'edge.2'])
  expect(await failed(fleet.roll('none'))).toMatchObject({ code: 'wrong-change' })
})

test('what is new runs beside what it replaces for a while', async () => {
  const { env, fleet, told, names } = setting({ besideMs: 1_500 })
  await fleet.up()
  const rolled = fleet.roll('edge')
  await env.advance(1_499)
  expect(names()).toEqual(['all.1', 'all.2', 'edge.1', 'edge.2'])
  await env.advance(1)
  await rolled
  expect(names()).toEqual(['all.1', 'all.2', 'edge.2'])
  const split = fleet.split('b')
  await env.advance(1_499)
  expect(told()).not.toContain('stop all.1')
  await env.advance(1)
  await split
  expect(told()).toContain('all.1 ended')
  await fleet.scale('b', 2)
  expect(names()).toHaveLength(5)
})

test('what ends by itself starts again, later each time', async () => {
  const { env, fleet, behaviour, last, told } = setting()
  await fleet.up()
  behaviour.ready = false
  for (const wait of [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]) {
    told()
    last('all.1').end('it ended with 1')
    await env.advance(wait - 1)
    expect(told()).toEqual(['all.1 ended'])
    await env.advance(1)
    expect(told()).toEqual(['start all.1'])
  }
  last('all.1').serve()
  await env.advance(61_000)
  last('all.1').end('it was ended by SIGSEGV')
  told()
  await env.advance(100)
  expect(told()).toEqual(['start all.1'])
})

test('who ended is no longer called, whatever it said last', async () => {
  const { env, fleet, behaviour, last } = setting()
  await fleet.up()
  behaviour.ready = false
  const ended = last('all.1')
  ended.end('it was ended by SIGKILL')
  await env.advance(0)
  ended.serve()
  expect(fleet.peers.list().map(({ address }) => address)).toEqual([
    'http://edge.1',
    'http://all.2',
  ])
})

test('who leaves is no longer called', async () => {
  const { fleet, last } = setting()
  await fleet.up()
  fleet.leave(last('all.1').id)
  expect(fleet.peers.list().map(({ address }) => address)).toEqual([
    'http://edge.1',
    'http://all.2',
  ])
})

test('a process that ends while it is replaced is not replaced twice', async () => {
  const { env, fleet, behaviour, last, names } = setting()
  await fleet.up()
  behaviour.ready = false
  const rolling = fleet.roll('all')
  await env.advance(0)
  last('all.1').end('it was ended by SIGKILL')
  await env.advance(100)
  last('all.3').serve()
  behaviour.ready = true
  await env.advance(0)
  await rolling
  await env.advance(60_000)
  expect(names().filter((name) => name.startsWith('all'))).toHaveLength(2)
})

test('a new process that ends before the change is over is there after it', async () => {
  const { env, fleet, behaviour, last, names } = setting()
  await fleet.up()
  behaviour.ready = false
  const splitting = fleet.split('a')
  await env.advance(0)
  last('all.3').serve()
  await env.advance(0)
  last('all.3').end('it was ended by SIGKILL')
  await env.advance(100)
  behaviour.ready = true
  last('all.4').serve()
  await splitting
  expect(names().filter((name) => name.startsWith('all'))).toHaveLength(2)
})

test('changes wait for each other', async () => {
  const { env, fleet, behaviour, last, told } = setting()
  await fleet.up()
  told()
  behaviour.ready = false
  const changes = [fleet.scale('all', 3), fleet.scale('edge', 2)]
  await env.advance(0)
  expect([told(), fleet.doing]).toEqual([['start all.3'], 'scaling all to 3'])
  last('all.3').serve()
  await env.advance(0)
  expect([told(), fleet.doing]).toEqual([['start edge.2'], 'scaling edge to 2'])
  last('edge.2').serve()
  await Promise.all(changes)
  expect(fleet.doing).toBeUndefined()
})

test('a fleet that is ended lets go of its edges first, and starts nothing again', async () => {
  const { env, fleet, behaviour, last, told, names } = setting()
  await fleet.up()
  told()
  behaviour.obedient = false
  const down = fleet.down()
  await env.advance(0)
  expect(told()).toEqual(['stop edge.1'])
  last('edge.1').end('it ended with 0')
  await env.advance(0)
  expect(told()).toEqual(['edge.1 ended', 'stop all.1', 'stop all.2'])
  const { version } = fleet.peers
  fleet.leave(last('all.1').id)
  last('all.1').end('it ended with 0')
  await env.advance(0)
  // It was not told that the other one left.
  expect(fleet.peers.version).toBe(version)
  for (const name of ['all.1', 'all.2']) last(name).end('it ended with 0')
  await down
  await env.advance(60_000)
  expect(names()).toEqual([])
  expect(await failed(fleet.scale('all', 3))).toMatchObject({ code: 'wrong-change' })
})

test('a change under way is given up when the fleet is ended', async () => {
  const { env, fleet, behaviour, names } = setting()
  await fleet.up()
  behaviour.ready = false
  const scaling = failed(fleet.scale('all', 3))
  await env.advance(0)
  await fleet.down()
  expect(await scaling).toMatchObject({
    message: expect.stringContaining('the fleet is being ended'),
  })
  expect(names()).toEqual([])
})
