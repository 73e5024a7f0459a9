import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'

/* A name server of a few records, over UDP: enough of RFC 1035 for tests. */

export type DnsRecord =
  | { readonly type: 'A'; readonly ttl?: number; readonly address: string }
  | { readonly type: 'AAAA'; readonly ttl?: number; readonly address: readonly number[] }
  | {
      readonly type: 'SRV'
      readonly priority?: number
      readonly port: number
      readonly target: string
    }

/** What is done with a question: its records, `hang` for no answer at all, `garbage`, or `fail`. */
export type DnsAnswer = readonly DnsRecord[] | 'hang' | 'garbage' | 'fail'

export interface DnsServer {
  /** Where it listens, as `127.0.0.1:53`. */
  readonly address: string
  /** Names and what is answered for them; others do not exist. */
  readonly names: Map<string, DnsAnswer>
  /** Questions so far. */
  readonly asked: string[]
  close(): Promise<void>
}

const types = { A: 1, AAAA: 28, SRV: 33 } as const
const short = (value: number) => [value >> 8, value & 0xff]
const nameOf = (name: string) => [
  ...name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]),
  0,
]

const dataOf = (record: DnsRecord): readonly number[] => {
  if (record.type === 'A') return record.address.split('.').map(Number)
  if (record.type === 'AAAA') return record.address
  const { priority = 0, port, target } = record
  return [...short(priority), ...short(1), ...short(port), ...nameOf(target)]
}

const questionIn = (message: Buffer) => {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(
      message
        .subarray(at + 1, at + 1 + length)
        .toString()
        .toLowerCase(),
    )
    at += length + 1
  }
  return { name: labels.join('.'), type: message.readUInt16BE(at + 1), end: at + 5 }
}

export const dnsServer = async (host = '127.0.0.1'): Promise<DnsServer> => {
  const names = new Map<string, DnsAnswer>()
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (message: Buffer, from: RemoteInfo) => {
    const { name, type, end } = questionIn(message)
    asked.push(name)
    const found = names.get(name)
    if (found === 'hang') return
    if (found === 'garbage') return socket.send(Buffer.from('garbage'), from.port, from.address)
    const all = typeof found === 'object' ? found : []
    const records = all.filter((record) => types[record.type] === type)
    const answers = records.flatMap((record) => {
      const data = dataOf(record)
      const ttl = record.type === 'SRV' ? 0 : (record.ttl ?? 0)
      return [
        0xc0,
        12,
        ...short(type),
        0,
        1,
        ...short(0),
        ...short(ttl),
        ...short(data.length),
        ...data,
      ]
    })
    const code = found === 'fail' ? 2 : found === undefined ? 3 : 0
    const head = Buffer.from(message.subarray(0, end))
    head.writeUInt16BE(0x8580 | code, 2)
    head.writeUInt16BE(records.length, 6)
    head.writeUInt16BE(0, 8)
    head.writeUInt16BE(0, 10)
    socket.send(Buffer.concat([head, Buffer.from(answers)]), from.port, from.address)
  })
  socket.bind(0, host)
  await once(socket, 'listening')
  return {
    address: `${host}:${socket.address().port}`,
    names,
    asked,
    close: async () => {
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}
