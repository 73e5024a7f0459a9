import {
  Superseded,
  type CursorMove,
  type HeldId,
  type HeldMessage,
  type HeldStore,
  type HeldTries,
  type Position,
  type SubscriptionId,
  type SubscriptionStore,
} from '../../store/store.ts'
import { isAlive } from './hosts.ts'
import { change, keyOf, overlay, type Overlay, type Tables } from './tables.ts'

interface CursorRow extends SubscriptionId, Position {}

interface HeldRow extends HeldMessage {
  readonly dueAt: number
  readonly holder: string | undefined
}

const cursors = (tables: Overlay) => tables.table<CursorRow>('cursor')
const held = (tables: Overlay) => tables.table<HeldRow>('held')
const place = (id: HeldId) => keyOf(id.subscription, id.publisher, id.partition, id.position)
const isOf = (id: SubscriptionId) => (row: SubscriptionId) =>
  row.subscription === id.subscription && row.publisher === id.publisher

/** Moves a cursor, unless another did so first or a message of the key is held. */
export const moveCursor = (tables: Overlay, move: CursorMove): void => {
  const { subscription, publisher, partition, from, to, key } = move
  const at = keyOf(subscription, publisher, partition)
  const blocked =
    key !== undefined &&
    held(tables)
      .all()
      .some((row) => isOf(move)(row) && row.message.subject === key)
  if (blocked || cursors(tables).get(at)?.position !== from) throw new Superseded('cursor')
  cursors(tables).put(at, { subscription, publisher, partition, position: to })
}

export const settleHeld = (tables: Overlay, id: HeldId): void => {
  if (!held(tables).delete(place(id))) throw new Superseded('held')
}

const message = (row: HeldRow): HeldMessage => {
  const { subscription, publisher, partition, position, message, failures, tries, parked, error } =
    row
  return { subscription, publisher, partition, position, message, failures, tries, parked, error }
}

const byPlace = (a: Position, b: Position) => a.partition - b.partition || a.position - b.position

export const memorySubscriptions = (own: Tables): SubscriptionStore => {
  const positions = async (id: SubscriptionId) =>
    cursors(overlay(own))
      .all()
      .filter(isOf(id))
      .map(({ partition, position }) => ({ partition, position }))
      .sort(byPlace)
  return {
    open: async (id, start) => {
      change(own, (tables) => {
        for (const { partition, position } of start) {
          const at = keyOf(id.subscription, id.publisher, partition)
          if (cursors(tables).get(at) === undefined)
            cursors(tables).put(at, {
              subscription: id.subscription,
              publisher: id.publisher,
              partition,
              position,
            })
        }
      })
      return positions(id)
    },
    positions,
    held: heldStore(own),
  }
}

const heldStore = (own: Tables): HeldStore => ({
  put: async (move, message, { dueAt, failures, tries, error, holder }) =>
    change(own, (tables) => {
      moveCursor(tables, { ...move, key: undefined })
      const { subscription, publisher } = move
      const { partition, position } = message
      const row = {
        subscription,
        publisher,
        partition,
        position,
        message,
        failures,
        tries,
        parked: false,
        error,
        dueAt,
        holder,
      }
      held(tables).put(place(row), row)
    }),
  keys: async (id) => {
    const rows = held(overlay(own)).all().filter(isOf(id))
    return [
      ...Map.groupBy(rows, (row) => keyOf(row.partition, row.message.subject)).values(),
    ].flatMap(([first, ...rest]) =>
      first === undefined
        ? []
        : [{ partition: first.partition, key: first.message.subject, count: 1 + rest.length }],
    )
  },
  claim: async (id, claim) =>
    change(own, (tables) => {
      const rows = held(tables).all().filter(isOf(id)).sort(byPlace)
      const firsts = new Map(
        rows.toReversed().map((row) => [keyOf(row.partition, row.message.subject), row]),
      )
      const due = (row: HeldRow) =>
        row.dueAt <= claim.now ||
        (row.holder === claim.holder
          ? claim.working?.some((at) => byPlace(at, row) === 0) === false
          : row.holder !== undefined && !isAlive(tables, row.holder, claim.now))
      const { types } = claim
      const among = (type: string) =>
        'only' in types ? type === types.only : !types.except.includes(type)
      const waiting = [...firsts.values()]
        .filter((row) => claim.partitions.includes(row.partition) && among(row.message.type))
        .filter((row) => !row.parked && due(row))
      const sentAt = ({ message: { time } }: HeldRow) => Date.parse(time)
      const byAge = waiting.toSorted((a, b) => sentAt(a) - sentAt(b))
      const byWait = waiting.toSorted((a, b) => a.dueAt - b.dueAt)
      // Half of them are the oldest, half those that waited longest for a try.
      const inTurn = byAge.flatMap((row, at) => [row, ...byWait.slice(at, at + 1)])
      const claimed = [...new Set(inTurn)].slice(0, claim.limit)
      for (const row of claimed)
        held(tables).put(place(row), { ...row, dueAt: claim.until, holder: claim.holder })
      return claimed.map(message)
    }),
  tries: heldTries(own),
})

const heldTries = (own: Tables): HeldTries => {
  const parkedOf = (tables: Overlay, id: SubscriptionId, key: string) =>
    held(tables)
      .all()
      .filter((row) => isOf(id)(row) && row.message.subject === key && row.parked)
  return {
    failed: async (id, state) =>
      change(own, (tables) => {
        const row = held(tables).get(place(id))
        if (row !== undefined) held(tables).put(place(id), { ...row, ...state, holder: undefined })
      }),
    parked: async () =>
      held(overlay(own))
        .all()
        .filter((row) => row.parked)
        .sort((a, b) => {
          const [one, other] = [
            keyOf(a.subscription, a.publisher),
            keyOf(b.subscription, b.publisher),
          ]
          return one === other ? byPlace(a, b) : one < other ? -1 : 1
        })
        .map(message),
    replay: async (id, key, now) =>
      change(own, (tables) => {
        const rows = parkedOf(tables, id, key)
        for (const row of rows)
          held(tables).put(place(row), {
            ...row,
            parked: false,
            failures: 0,
            tries: 0,
            dueAt: now,
            holder: undefined,
          })
        return rows.length > 0
      }),
    discard: async (id, key) =>
      change(own, (tables) => {
        const [first] = parkedOf(tables, id, key).sort(byPlace)
        return first !== undefined && held(tables).delete(place(first))
      }),
  }
}
