import { httpClient } from 'serval'
import { control } from 'serval/host'
import { accounts } from '../accounts/contract.ts'
import { acquirer } from '../acquirer/contract.ts'
import { catalog } from '../catalog/contract.ts'
import { inventory } from '../inventory/contract.ts'
import { notifications } from '../notifications/contract.ts'
import { orders } from '../orders/contract.ts'
import { payments } from '../payments/contract.ts'

/** The access token to send now. */
export type Token = () => string

export interface ShopOptions {
  readonly address: string
  readonly operator: string
  readonly key: string
}

/** The platform's fetch, which hands the text of each reply to `seen` as well. */
const watched =
  (seen: (text: string) => void): typeof fetch =>
  async (...request) => {
    const response = await fetch(...request)
    const text = await response.text()
    seen(text)
    const { status, statusText, headers } = response
    return new Response(text === '' ? null : text, { status, statusText, headers })
  }

/** Typed clients of a running shop, for anyone, for users and for its operator. */
export const shopAt = ({ address, operator, key }: ShopOptions) => {
  // The operator's key lifts limits of rate on the public address.
  const headers = { 'x-serval-operator': key }
  const open = { address, headers }
  const back = { address: operator, headers }
  return {
    accounts: httpClient(accounts, open),
    catalog: httpClient(catalog, open),
    inventory: httpClient(inventory, open),
    as: (token: Token) => ({
      catalog: httpClient(catalog, { ...open, token }),
      inventory: httpClient(inventory, { ...open, token }),
      notifications: httpClient(notifications, { ...open, token }),
      orders: httpClient(orders, { ...open, token }),
    }),
    /** A client of orders whose replies can be seen as they came. */
    watching: (token: Token, seen: (text: string) => void) =>
      httpClient(orders, { ...open, token, fetch: watched(seen) }),
    operator: {
      acquirer: httpClient(acquirer, back),
      control: httpClient(control, back),
      inventory: httpClient(inventory, back),
      notifications: httpClient(notifications, back),
      orders: httpClient(orders, back),
      payments: httpClient(payments, back),
    },
  }
}

export type Shop = ReturnType<typeof shopAt>
export type UserShop = ReturnType<Shop['as']>
