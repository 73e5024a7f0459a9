import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { recorder, type Heard, type Placement } from 'serval/testing'
import { shop } from '../../shop.ts'
import { startShop, type World } from '../shop-in-test.suite.ts'
import { accountsScript } from './accounts.suite.ts'
import { catalogScript } from './catalog.suite.ts'
import { effects, transcript } from './comparable.suite.ts'
import { inventoryScript } from './inventory.suite.ts'
import { moneyScript } from './money.suite.ts'
import { nobodyScript, oddScript } from './odd.suite.ts'
import { ordersScript } from './orders.suite.ts'
import { slowCards, type Stage } from './stage.suite.ts'

const scripts = [
  catalogScript,
  inventoryScript,
  moneyScript,
  accountsScript,
  ordersScript,
  nobodyScript,
  oddScript,
]

export interface Played {
  readonly heard: readonly Heard[]
  readonly transcript: readonly string[]
  readonly effects: Readonly<Record<string, readonly string[]>>
}

/** Plays all scripts to a shop of their own, whose services are placed so. */
export const play = async (placement: Placement): Promise<Played> => {
  const world: World = { server: pglite({}), mail: mailbox({}) }
  const cards = slowCards()
  const running = await startShop(world, undefined, cards.env, placement)
  try {
    const { heard, link, client } = recorder(running)
    const stage: Stage = { running, world, link, client, slowCards: cards }
    for (const script of scripts) await script(stage)
    await running.end({ keepServer: true })
    const names = shop.services.map(({ contract }) => contract.name)
    return { heard, transcript: transcript(heard), effects: await effects(world, names) }
  } finally {
    await world.server.close()
  }
}
