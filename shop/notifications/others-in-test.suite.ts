import { service, type Contract } from 'serval'
import { orders } from '../orders/contract.ts'

const nobody = (): never => {
  throw new Error('nobody calls this')
}

/** Handlers for a service of which only the events, or a few operations, matter. */
export const unused = <C extends Contract>({
  operations,
}: C): { readonly [N in keyof C['operations']]: typeof nobody } =>
  Object.fromEntries(Object.keys(operations).map((name) => [name, nobody])) as {
    readonly [N in keyof C['operations']]: typeof nobody
  }

/** Orders that nobody places. */
export const noOrders = service(orders, { operations: unused(orders) })
