import { expect, test } from 'vitest'
import { manualEnv } from '../testing/index.ts'
import { peerTable } from './peers.ts'

const peer = (id: string) => ({ id, address: `http://${id}`, contracts: ['a'] })
const never = new AbortController().signal

const setting = () => {
  const env = manualEnv()
  const peers = peerTable(env.after)
  const waiting = (known: number, ms: number, signal = never) => {
    const state = { over: false, waited: Promise.resolve() }
    state.waited = peers.changed(known, ms, signal).then(() => void (state.over = true))
    return state
  }
  return { env, peers, waiting }
}

test('each change is a new version, which wakes whoever knows the one before', async () => {
  const { env, peers, waiting } = setting()
  const first = waiting(peers.version, 1_000)
  await env.advance(999)
  expect(first.over).toBe(false)
  peers.set(peer('one'))
  await first.waited
  expect(peers.list()).toEqual([peer('one')])
  const second = waiting(peers.version, 1_000)
  peers.delete('nobody')
  await env.advance(0)
  expect(second.over).toBe(false)
  peers.delete('one')
  await second.waited
  expect([peers.list(), env.waiting]).toEqual([[], 0])
})

test('nobody waits who knows another version, or has no time', async () => {
  const { peers, waiting } = setting()
  await waiting(peers.version - 1, 1_000).waited
  await waiting(peers.version + 1, 1_000).waited
  await waiting(peers.version, 0).waited
})

test('whoever waits is told when the time is over, or gives up', async () => {
  const { env, peers, waiting } = setting()
  const patient = waiting(peers.version, 1_000)
  const gone = new AbortController()
  const left = waiting(peers.version, 1_000, gone.signal)
  gone.abort()
  await left.waited
  expect(patient.over).toBe(false)
  await env.advance(1_000)
  await patient.waited
  expect(env.waiting).toBe(0)
})
