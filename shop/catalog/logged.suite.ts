import type { TestServices } from 'serval/testing'

const start = Array.from({ length: 16 }, (_, partition) => ({ partition, position: 0 }))

/** Everything that catalog has published of a SKU, in order; undefined while it is less than `count`. */
export const logged = async (
  system: Pick<TestServices, 'stores'>,
  sku: string,
  count: number,
): Promise<readonly { readonly type: string; readonly data: unknown }[] | undefined> => {
  const messages = (await system.stores.get('catalog')?.log.read(start, 10_000)) ?? []
  const found = messages.filter(({ subject }) => subject === sku)
  return found.length < count ? undefined : found.map(({ type, data }) => ({ type, data }))
}
