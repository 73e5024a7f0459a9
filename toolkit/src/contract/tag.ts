/**
 * A tag of cached entries, as all caches of a system know it: the contract's name before it, and `:field` filled in from
 * a value. `product::sku` of the catalog is `catalog/product:KIT-0001`.
 */
export const fillTag = (
  contract: string,
  tag: string,
  value: Readonly<Record<string, unknown>>,
): string =>
  `${contract}/${tag.replaceAll(/:([A-Za-z]\w*)/g, (_, field: string) => String(value[field]))}`

/** The fields that a tag is filled with. */
export const tagFields = (tag: string): string[] =>
  [...tag.matchAll(/:([A-Za-z]\w*)/g)].map(([, field = '']) => field)
