import { z } from 'zod'
import { command, contract, del, get, post, problem, put, query } from '../contract/index.ts'

const Peer = z.object({
  id: z.string().min(1).max(100),
  address: z.string().max(300),
  contracts: z.array(z.string().max(200)).max(1_000),
})

export const WrongChange = problem('wrong-change', {
  kind: 'unprocessable',
  title: 'The fleet cannot be changed like that',
})
export const ChangeFailed = problem('change-failed', {
  kind: 'conflict',
  title: 'The fleet could not be changed; it runs as it did before',
})

/** Starting and draining take their time. */
const deadline = '15m'
const nothing = z.undefined()

/** What a fleet's supervisor does: for its hosts, and for whoever operates it. */
export const fleet = contract('fleet', {
  operations: {
    peers: query({
      summary:
        'Which hosts serve which contracts; waits for a change after the version that is known',
      access: 'operator',
      http: get('/fleet/v1/peers'),
      input: z.object({
        after: z.int().min(-1).default(-1),
        waitMs: z.int().min(0).max(25_000).default(0),
      }),
      output: z.object({ version: z.int(), peers: z.array(Peer) }),
      deadline: '40s',
    }),
    announce: command({
      summary: 'A host says what it serves',
      access: 'operator',
      repeat: 'natural',
      http: put('/fleet/v1/peers/:id', { status: 204 }),
      input: Peer,
      output: nothing,
    }),
    leave: command({
      summary: 'A host is to be called no more',
      access: 'operator',
      repeat: 'natural',
      http: del('/fleet/v1/peers/:id', { status: 204 }),
      input: Peer.pick({ id: true }),
      output: nothing,
    }),
    status: query({
      summary: 'The processes, and what they run',
      access: 'operator',
      http: get('/fleet/v1/status'),
      input: z.object({}),
      output: z.object({
        setup: z.string(),
        /** What is being changed now. */
        doing: z.string().optional(),
        processes: z.array(
          z.object({
            name: z.string(),
            role: z.string(),
            pid: z.int(),
            state: z.enum(['starting', 'ready', 'leaving']),
            services: z.array(z.string()),
            edge: z.boolean(),
            address: z.string().optional(),
            upMs: z.number(),
            restarts: z.int(),
          }),
        ),
      }),
    }),
    scale: command({
      summary: 'Has so many processes of a role',
      access: 'operator',
      repeat: 'natural',
      http: post('/fleet/v1/scale', { status: 204 }),
      input: z.object({ role: z.string(), replicas: z.int().min(0).max(64) }),
      output: nothing,
      problems: [WrongChange, ChangeFailed],
      deadline,
    }),
    split: command({
      summary: 'Gives a service processes of its own',
      access: 'operator',
      repeat: 'natural',
      http: post('/fleet/v1/split', { status: 204 }),
      input: z.object({ service: z.string() }),
      output: nothing,
      problems: [WrongChange, ChangeFailed],
      deadline,
    }),
    merge: command({
      summary: 'Puts a service back to the others',
      access: 'operator',
      repeat: 'natural',
      http: post('/fleet/v1/merge', { status: 204 }),
      input: z.object({ service: z.string() }),
      output: nothing,
      problems: [WrongChange, ChangeFailed],
      deadline,
    }),
    roll: command({
      summary: 'Replaces each process by a new one, one after the other',
      access: 'operator',
      repeat: 'natural',
      http: post('/fleet/v1/roll', { status: 204 }),
      input: z.object({ role: z.string().optional() }),
      output: nothing,
      problems: [WrongChange, ChangeFailed],
      deadline,
    }),
    down: command({
      summary: 'Drains and ends everything',
      access: 'operator',
      repeat: 'natural',
      http: post('/fleet/v1/down', { status: 204 }),
      input: z.object({}),
      output: nothing,
      deadline,
    }),
  },
})
