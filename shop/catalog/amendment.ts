import type { Money } from '../money.ts'
import { mostAttributes, Product, TooManyAttributes, type Amendment } from './contract.ts'
import { mergePatch } from './merge-patch.ts'

/** Throws TooManyAttributes. */
export const mustHaveFewAttributes = ({ attributes }: Pick<Product, 'attributes'>): void => {
  const count = Object.keys(attributes).length
  if (count > mostAttributes) throw TooManyAttributes({ attributes: count })
}

/** What a product looks like that was created with no more than it must have. */
const bare = { description: '', attributes: {} }

/**
 * The product as it is after the change: the same object when that changes nothing. What the patch
 * takes away is as if it had never been given. Throws TooManyAttributes.
 */
export const amended = (product: Product, amendment: Amendment): Product => {
  const patched = mergePatch(product, amendment)
  const after = Product.parse(Object.assign({}, bare, patched))
  mustHaveFewAttributes(after)
  return JSON.stringify(after) === JSON.stringify(Product.parse(product)) ? product : after
}

/** The new price, if it is another. */
export const newPrice = (before: Product, after: Product): Money | undefined =>
  before.price.amount === after.price.amount && before.price.currency === after.price.currency
    ? undefined
    : after.price
